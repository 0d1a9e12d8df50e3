"""Detecting that a partner behaves differently: window statistics, cumulative sums, a permutation test, ROC and delay.

Source: 2401.10949, non-stationarity: a distance between the distributions of consecutive times. A stream is a row of
episodes; windows are whole episodes, so that what happens within an episode is alike in both (A-350). The last
`window` episodes are compared with the `reference` episodes at the start of the stream.
"""

from collections.abc import Callable

import numpy as np

from replication.settings import BadInput

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]  # reference (n, d), windows (W, m, d) -> (W,)


def window_statistics(streams: np.ndarray, reference: int, window: int, statistic: Statistic) -> np.ndarray:
    """Distance of the latest window from the start of the stream, after every episode.

    Source: 2401.10949, non-stationarity, d_t = W(P_t, P_reference).

    Args:
        streams: (K, T, L, d) features of K streams, T episodes, L steps; or (K, T, L) choices.
        reference, window: episodes at the start, and of the window; the first window starts behind the reference.
        statistic: of the reference's sample (n, d) and the windows' samples (W, m, d), one value per window.

    Returns:
        (K, T - reference - window + 1), the first value belonging to episode reference + window - 1.
    """
    check_windows(streams, reference, window)
    found = []
    for one in streams:
        windows = np.lib.stride_tricks.sliding_window_view(one[reference:], window, axis=0)
        windows = np.moveaxis(windows, -1, 1)  # (W, window, L, ...)
        joined = windows.reshape(len(windows), -1, *one.shape[2:])
        found.append(statistic(one[:reference].reshape(-1, *one.shape[2:]), joined))
    return np.stack(found)


def cumulative_sums(scores: np.ndarray, reference: int, slack: float = 0.5, *, both: bool = True) -> np.ndarray:
    """Cumulative sum of how much lower (or, with `both`, higher) than at the start each episode scores.

    S <- max(0, S + z - slack) with z the standardised drop; the larger of the two directions.

    Source: Page (1954), "Continuous inspection schemes".

    Args:
        scores: (K, T) one number per episode, for instance its return.
        reference: episodes that give mean and deviation, at least two.
        slack: drop per episode, in deviations, that is forgiven.

    Returns:
        (K, T - reference) sums after every later episode.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not 2 <= reference < scores.shape[1]:
        raise BadInput(f"reference must be from 2 to {scores.shape[1] - 1} episodes, got {reference}")
    start = scores[:, :reference]
    deviation = start.std(axis=1, ddof=1, keepdims=True)
    drop = (start.mean(axis=1, keepdims=True) - scores[:, reference:]) / np.where(deviation > 0, deviation, 1.0)
    sums = np.zeros((2, len(scores)))
    found = np.empty(drop.shape)
    for episode, fall in enumerate(drop.T):
        sums = np.maximum(0.0, sums + np.stack([fall, -fall]) - slack)
        found[:, episode] = sums.max(axis=0) if both else sums[0]
    return found


def log_likelihoods(cells: np.ndarray, choices: np.ndarray, reference: int, sizes: tuple[int, int]) -> np.ndarray:
    """(K, T) mean log-likelihood of the choices of each episode under a table learnt from the reference.

    The table counts choices in every cell, one added to each; a reference episode is judged by the others, so that
    it is not told by what it taught.

    Args:
        cells, choices: (K, T, L) what the partner saw, as the number of a cell, and what it chose.
        reference: episodes learnt from, at least two.
        sizes: number of cells and of choices.
    """
    check_windows(cells, reference, 1)
    found = np.empty(cells.shape[:2])
    for row, (seen, chosen) in enumerate(zip(cells, choices, strict=True)):
        each = np.zeros((reference, *sizes))
        np.add.at(each, (np.arange(reference)[:, None], seen[:reference], chosen[:reference]), 1.0)
        counts = each.sum(axis=0)
        for episode in range(cells.shape[1]):
            known = counts + 1.0 - (each[episode] if episode < reference else 0.0)
            chance = known / known.sum(axis=1, keepdims=True)
            found[row, episode] = np.log(chance[seen[episode], chosen[episode]]).mean()
    return found


def permutation_test(
    streams: np.ndarray, reference: int, window: int, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """1 - p of a permutation test on the Wasserstein distance between embedded episodes, after every episode.

    Episodes are exchanged between the reference and the window; p is the share of exchanges, the given one included,
    whose distance is at least that of the given one. No threshold is set by hand: an alarm is p at most a level.

    Source: BADA (2405.14214), detection, as described by readers of its text; its learned embedding of an episode is
    replaced by fixed numbers, and W by its sliced form along the embedding's own axes (A-352).

    Args:
        streams: (K, T, e) one embedding per episode.
        permutations: exchanges tried, the given one not counted.

    Returns:
        as `window_statistics`, in [0, 1).
    """
    episodes = check_windows(streams, reference, window)
    ends = range(reference + window, episodes + 1)
    own = np.arange(reference + window)
    orders = np.stack([own, *(rng.permutation(own) for _ in range(permutations))])
    found = np.empty((len(streams), len(ends)))
    for row, one in enumerate(streams):
        scale = one[:reference].std(axis=0)
        placed = one / np.where(scale > 0, scale, 1.0)
        for column, end in enumerate(ends):
            both = np.concatenate([placed[:reference], placed[end - window : end]])[orders]
            apart = axis_distances(both[:, :reference], both[:, reference:])
            found[row, column] = 1.0 - np.mean(apart >= apart[0] * (1.0 - 1e-12))
    return found


def axis_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(P,) mean over axes of W_1 between samples (P, n, e) and (P, m, e), by their quantiles on a common grid."""
    n, m = x.shape[1], y.shape[1]
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    mass = np.diff(ends, prepend=0) / (n * m)
    gaps = np.abs(np.sort(x, axis=1)[:, (ends - 1) // m] - np.sort(y, axis=1)[:, (ends - 1) // n])
    return np.einsum("k,pke->p", mass, gaps) / x.shape[2]


def roc(quiet: np.ndarray, changed: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """False-alarm rates, detection rates, and the area under their curve.

    The area is the chance that a changed value exceeds a quiet one, ties counting half.

    Source: Hanley and McNeil (1982), "The meaning and use of the area under a ROC curve".

    Args:
        quiet, changed: statistics without and with a change, of any shape.
    """
    quiet, changed = np.sort(np.ravel(quiet)), np.sort(np.ravel(changed))
    if not (len(quiet) and len(changed)):
        raise BadInput(f"a ROC curve needs values of both kinds, got {len(quiet)} quiet and {len(changed)} changed")
    thresholds = np.append(np.unique(np.concatenate([quiet, changed]))[::-1], -np.inf)
    false_alarms = 1.0 - np.searchsorted(quiet, thresholds, "right") / len(quiet)
    detections = 1.0 - np.searchsorted(changed, thresholds, "right") / len(changed)
    below = np.searchsorted(quiet, changed, "left"), np.searchsorted(quiet, changed, "right")
    return false_alarms, detections, float((below[0] + below[1]).mean() / (2 * len(quiet)))


def alarm_threshold(quiet: np.ndarray, rate: float) -> float:
    """Value that at most a share `rate` of the quiet statistics exceeds; an alarm is a value above it."""
    values = np.sort(np.ravel(quiet))
    if not (len(values) and 0 <= rate < 1):
        raise BadInput(f"a threshold needs quiet values and a rate in [0, 1), got {len(values)} values and {rate}")
    return float(values[len(values) - 1 - int(np.floor(rate * len(values) + 1e-9))])


def delays(statistics: np.ndarray, threshold: float) -> np.ndarray:
    """(K,) episodes from the change to the first alarm (1 = the first episode after it); infinite without alarm.

    Args:
        statistics: (K, T) after each episode since the change.
    """
    above = np.asarray(statistics) > threshold
    return np.where(above.any(axis=1), above.argmax(axis=1) + 1.0, np.inf)


def check_windows(streams: np.ndarray, reference: int, window: int) -> int:
    """Number of episodes, if reference and window fit, else a one-line `BadInput`."""
    episodes = np.shape(streams)[1]
    if reference < 1 or window < 1 or reference + window > episodes:
        raise BadInput(f"reference + window must fit into {episodes} episodes, got {reference} + {window}")
    if not np.isfinite(streams).all():
        raise BadInput("streams must be finite; drop or repair such episodes")
    return episodes
