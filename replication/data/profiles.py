"""A real year of load and sunshine, mapped to a feeder.

The bundle holds SimBench's 2016 profiles in rows of 15 minutes; control steps of 3 minutes are
interpolated between two rows. A feeder's columns are (shape, scale) pairs rather than dense
tables, so a thousand agents cost no more memory than six. Every scale comes from ratings or from
training days. The set-up follows 2110.14300 with open data; `load_scale` 1.4 puts the feeder
without control near the published difficulty.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from replication.data.days import training_rows, window_starts
from replication.data.year import STEPS_PER_ROW, Bundle, load_bundle
from replication.seeding import stream
from replication.settings import BadInput

INVERTER_OVERSIZING = 1.2  # S / largest P, 2110.14300


@dataclass(frozen=True, eq=False)
class Profiles:
    """Load and PV of one feeder: column = shape[row, shape_of] * scale.

    n buses, a agents, k distinct shapes. `load_q_shape` is the same array as `load_p_shape` where the
    reactive load follows the active load. Noise deviations are the standard deviations of the columns over
    training days; the world takes its 1 % of them.
    """

    source: str
    steps_per_row: int  # control steps from one row to the next
    load_p_shape: np.ndarray  # (rows, k)
    load_q_shape: np.ndarray  # (rows, k)
    load_shape_of_bus: np.ndarray  # (n,) int64
    load_mw_scale: np.ndarray  # (n,) [MW]
    load_mvar_scale: np.ndarray  # (n,) [MVAr]
    pv_shape: np.ndarray  # (rows, k)
    pv_shape_of_agent: np.ndarray  # (a,) int64
    pv_mw_scale: np.ndarray  # (a,) [MW]
    pv_peak_mw: np.ndarray  # (a,) largest PV power the inverter is made for, S / 1.2 [MW]
    split_of_day: np.ndarray  # (days,) int8 index into `SPLITS`

    @property
    def num_rows(self) -> int:
        return len(self.load_p_shape)

    def load_mw(self, rows: Any = slice(None)) -> np.ndarray:
        """(rows, n) active load [MW]."""
        return self.load_p_shape[rows][:, self.load_shape_of_bus] * self.load_mw_scale

    def load_mvar(self, rows: Any = slice(None)) -> np.ndarray:
        """(rows, n) reactive load [MVAr]."""
        return self.load_q_shape[rows][:, self.load_shape_of_bus] * self.load_mvar_scale

    def pv_mw(self, rows: Any = slice(None)) -> np.ndarray:
        """(rows, a) PV power [MW]."""
        return self.pv_shape[rows][:, self.pv_shape_of_agent] * self.pv_mw_scale

    def windows(self, split: str, horizon: int) -> np.ndarray:
        """(k,) int64 start steps of the windows of a split; see `replication.data.days.window_starts`."""
        return window_starts(self.split_of_day, split, horizon, self.num_rows, self.steps_per_row)

    @property
    def training_rows(self) -> np.ndarray:
        """(rows,) bool."""
        return training_rows(self.split_of_day, self.steps_per_row)

    @property
    def noise_mw(self) -> np.ndarray:
        """(n,) standard deviation of each active load over training days [MW]."""
        return self._deviation(self.load_p_shape)[self.load_shape_of_bus] * self.load_mw_scale

    @property
    def noise_mvar(self) -> np.ndarray:
        """(n,) standard deviation of each reactive load over training days [MVAr]."""
        return self._deviation(self.load_q_shape)[self.load_shape_of_bus] * np.abs(self.load_mvar_scale)

    @property
    def noise_pv(self) -> np.ndarray:
        """(a,) standard deviation of each PV power over training days [MW]."""
        return self._deviation(self.pv_shape)[self.pv_shape_of_agent] * self.pv_mw_scale

    def _deviation(self, shapes: np.ndarray) -> np.ndarray:
        return shapes[self.training_rows].std(axis=0)


def on_feeder(
    feeder: Any,
    *,
    load_scale: float = 1.4,
    pv_scale: float = 1.0,
    assignment_seed: int = 0,
    bundle: Bundle | None = None,
) -> Profiles:
    """The year's profiles on the load buses and inverters of a feeder.

    Each load bus follows one of the 21 household and commercial profiles, over its largest value on training
    days, times the rated load and `load_scale`, at the rated power factor. The inverters of a zone follow one of
    the PV profiles, over its largest value on training days, times S / 1.2 and `pv_scale`.

    Args:
        feeder: a `replication.envs.feeder.Feeder`.
        load_scale: peak of each load over its rated load.
        pv_scale: peak of each PV plant over S / 1.2; the inverter ratings stay.
        assignment_seed: which profile goes where (streams "load assignment" and "solar assignment").
        bundle: profiles to use instead of the shipped year.

    Raises:
        BadInput: a scale that is not positive.
    """
    if not (0 < load_scale < np.inf and 0 <= pv_scale < np.inf):
        raise BadInput(f"load_scale must be > 0 and pv_scale >= 0, got {load_scale} and {pv_scale}")
    year = bundle or load_bundle()
    rows = training_rows(year.split_of_day, STEPS_PER_ROW)
    used = [k for kind in "HG" for k, name in enumerate(year.load_names) if name[0] == kind]
    load_shape = _over_its_maximum(year.load_p[:, used], rows)
    pv_shape = _over_its_maximum(year.pv, rows)
    pv_peak = feeder.pv_mva / INVERTER_OVERSIZING
    return Profiles(
        source=f"SimBench 2016 on {feeder.name}, load {load_scale:g}, PV {pv_scale:g}, assignment {assignment_seed}",
        steps_per_row=STEPS_PER_ROW,
        load_p_shape=load_shape,
        load_q_shape=load_shape,
        load_shape_of_bus=_assign_loads(feeder, len(used), assignment_seed),
        load_mw_scale=feeder.load_mw * load_scale,
        load_mvar_scale=feeder.load_mvar * load_scale,
        pv_shape=pv_shape,
        pv_shape_of_agent=_assign_solar(feeder, pv_shape.shape[1], assignment_seed),
        pv_mw_scale=pv_peak * pv_scale,
        pv_peak_mw=pv_peak,
        split_of_day=year.split_of_day,
    )


def sample(profiles: Profiles, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Load [MW] (k, n), load [MVAr] (k, n) and PV [MW] (k, a) at control steps (k,), linear between rows."""
    steps = np.asarray(steps)
    row, part = np.divmod(steps, profiles.steps_per_row)
    share = (part / profiles.steps_per_row)[:, None]
    after = row + (part > 0)
    if len(steps) and (steps.min() < 0 or after.max() >= profiles.num_rows):
        raise BadInput(f"steps must lie in 0..{(profiles.num_rows - 1) * profiles.steps_per_row}, got {steps.max()}")

    def between(column: Any) -> np.ndarray:
        return column(row) * (1 - share) + column(after) * share

    return between(profiles.load_mw), between(profiles.load_mvar), between(profiles.pv_mw)


def _over_its_maximum(profiles: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Each column (rows, k) over its largest value on training rows."""
    largest = profiles[training].max(axis=0)
    if not np.all(largest > 0):
        raise BadInput(f"profile column {int(np.argmin(largest))} never rises above 0 on training days; leave it out")
    return profiles / largest


def _assign_loads(feeder: Any, num_shapes: int, seed: int) -> np.ndarray:
    """(n,) shape of every bus; shapes are dealt out in turn, households first, then shuffled over the load buses."""
    rng = stream("load assignment", seed)
    loaded = np.flatnonzero((feeder.load_mw != 0) | (feeder.load_mvar != 0))
    shape_of_bus = np.zeros(len(feeder.load_mw), dtype=np.int64)
    shape_of_bus[loaded] = rng.permutation(np.resize(np.arange(num_shapes), len(loaded)))
    return shape_of_bus


def _assign_solar(feeder: Any, num_shapes: int, seed: int) -> np.ndarray:
    """(a,) shape of every inverter, one per zone, different zones different as far as the shapes reach."""
    zones, zone_of_agent = np.unique(feeder.zone[feeder.pv_bus], return_inverse=True)
    dealt = np.resize(stream("solar assignment", seed).permutation(num_shapes), len(zones))
    return dealt[zone_of_agent].astype(np.int64)
