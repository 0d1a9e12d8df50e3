"""How far recent behaviour is from that before, in units of what is usual, and the learning rate it asks for.

Source: 2401.10949, non-stationarity: d_t = W(P_t, P_t-1), eta_t = eta_0 g(d_t), with g rising or falling.
"""

import numpy as np

from replication.algos.detection import alarm_threshold, cumulative_sums
from replication.algos.detection_statistics import FEATURE_STATISTICS
from replication.papers.optimal_transport.grown_teams import Seen, Watch
from replication.papers.optimal_transport.study_adaptation import OTHER_WORLDS, AdaptationStudy

SQUARED = ("mean_discrepancy", "gaussian_divergence")  # grow with the square of a small shift; their root is taken
BLOCK = 48  # points that the mean discrepancy is given at a time


class Gauge:
    """The distance of a study, in units of its level before the change.

    Source: 2401.10949, non-stationarity; windows and unit are ours (A-382).
    """

    def __init__(self, study: AdaptationStudy, before: Seen) -> None:
        """`before`: what was seen in quiet times; the reference is its beginning unless it moves."""
        self.study = study
        self.whose = "team" if study.change in OTHER_WORLDS else "partner"
        self.points, self.rewards = list(getattr(before, self.whose)), list(before.reward)
        quiet = [self._raw(end) for end in range(study.reference + study.recent, len(self.rewards) + 1)]
        self.unit = max(alarm_threshold(np.array(quiet), study.false_alarms), 1e-12)

    def add(self, watch: Watch) -> None:
        """Take in the last update that was watched."""
        self.points.append(watch.rows[self.whose][-1])
        self.rewards.append(watch.rows["reward"][-1])

    def read(self) -> float:
        """The distance now: 0 up to its unit, 1 at twice its unit."""
        return max(0.0, self._raw(len(self.rewards)) / self.unit - 1.0)

    def _raw(self, end: int) -> float:
        """Distance of the window whose last update is number `end` - 1."""
        middle = end - self.study.recent
        first = middle - self.study.reference if self.study.moving else 0
        earlier, recent = slice(first, first + self.study.reference), slice(middle, end)
        if self.study.distance == "page_hinkley":
            told = np.array([self.rewards[earlier] + self.rewards[recent]])
            return float(cumulative_sums(told, self.study.reference, both=False)[0, -1])
        parts = np.concatenate(self.points[earlier]), np.concatenate(self.points[recent])
        return apart(self.study.distance, *parts)


def apart(name: str, earlier: np.ndarray, recent: np.ndarray) -> float:
    """Distance between two samples (n, d) and (m, d), in deviations of the earlier one; roots of squared ones.

    The mean discrepancy is the mean over blocks of points, as in Zaremba et al. (2013), "B-test" (A-386).
    """
    deviation = earlier.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1.0)
    x, y = earlier / scale, recent / scale
    if name == "mean_discrepancy":
        blocks = max(1, len(y) // BLOCK)
        parts = [FEATURE_STATISTICS[name](x[k::blocks], y[None, k::blocks])[0] for k in range(blocks)]
        found = float(np.mean(parts))
    else:
        found = float(FEATURE_STATISTICS[name](x, y[None])[0])
    return max(found, 0.0) ** 0.5 if name in SQUARED else found


def rate_factor(study: AdaptationStudy, distance: float, update: int) -> float:
    """Factor on the last learning rate for the update number `update` (from 0) after the change.

    Source: 2401.10949, non-stationarity: eta_0 (1 + b d) or eta_0 / (1 + b d); the limit is ours (A-383).
    """
    most, asked = study.most, min(study.most, 1.0 + study.gain * distance)
    if study.response == "higher rate":
        return most
    if study.response == "rate up":
        return asked
    if study.response == "rate down":
        return 1.0 / asked
    if study.response == "known time":
        return 1.0 + (most - 1.0) * max(0.0, 1.0 - update / study.fading)
    return 1.0
