"""Which days are held out, and which windows of the year a learner may see.

Ten test days per calendar month and two validation days, the rest is for training. A window of
`horizon` control steps uses `horizon + 1` samples, its end sample included, so a training window
never touches a held-out day. Validation days are no neighbours of test days, and the last day is
never held out because its closing midnight lies outside the data.
"""

import numpy as np

from replication.seeding import stream
from replication.settings import BadInput, choose

STEPS_PER_DAY = 480  # control steps of 3 minutes
SPLITS = ("train", "validation", "test")
TEST_DAYS, VALIDATION_DAYS = 10, 2  # per calendar month
FEWEST_DAYS = 14


def draw_held_out_days(months: np.ndarray) -> np.ndarray:
    """Split of every day by the fixed stream "held-out days".

    Args:
        months: (days,) calendar month 1..12 of every day, in order.

    Returns:
        (days,) int8: index into `SPLITS`. A calendar month with fewer than 30 days of data gives a third of
        them to the test and a fifteenth to the validation, rounded up.

    Raises:
        BadInput: fewer than 14 days.
    """
    if len(months) < FEWEST_DAYS:
        raise BadInput(f"profiles cover {len(months)} whole days; at least {FEWEST_DAYS} are needed for a split")
    split = np.zeros(len(months), dtype=np.int8)
    eligible = np.arange(len(months)) < len(months) - 1
    for month in np.unique(months):
        days = np.flatnonzero((months == month) & eligible)
        count = min(TEST_DAYS, -(-len(days) // 3))
        split[stream("held-out days", 0, int(month)).permutation(days)[:count]] = SPLITS.index("test")
    tested = np.concatenate([[False], split == SPLITS.index("test"), [False]])
    apart = eligible & ~(tested[:-2] | tested[1:-1] | tested[2:])
    for month in np.unique(months):
        days = np.flatnonzero((months == month) & apart)
        count = min(VALIDATION_DAYS, -(-int(np.sum(months == month)) // 15))
        split[stream("held-out days", 1, int(month)).permutation(days)[:count]] = SPLITS.index("validation")
    return split


def window_starts(split_of_day: np.ndarray, split: str, horizon: int, num_rows: int, steps_per_row: int) -> np.ndarray:
    """Start steps of all windows of a split.

    Args:
        split_of_day: (days,) index into `SPLITS`.
        split: "train": every start step whose samples (and the rows they are interpolated from) lie on training
            days; "validation" and "test": both half-days if the horizon is 240, else the starts of the days.
        horizon: control steps in a window; the window uses samples `start .. start + horizon`.
        num_rows: rows of data.
        steps_per_row: control steps from one row to the next (5 for 15-minute rows, 1 for 3-minute rows).

    Returns:
        (k,) int64 start steps, ascending.

    Raises:
        BadInput: an unknown split, a horizon outside 1..480, or no window left.
    """
    choose("split", split, SPLITS)
    if not 1 <= horizon <= STEPS_PER_DAY:
        raise BadInput(f"horizon must be 1..{STEPS_PER_DAY} steps (at most one day), got {horizon}")
    code = SPLITS.index(split)
    if split == "train":
        starts = _inside(split_of_day == code, horizon, num_rows, steps_per_row)
    else:
        starts = np.flatnonzero(split_of_day == code) * STEPS_PER_DAY
        if horizon == STEPS_PER_DAY // 2:
            starts = (starts[:, None] + np.array([0, horizon])).ravel()
        starts = starts[-(-(starts + horizon) // steps_per_row) < num_rows]
    if not len(starts):
        raise BadInput(f"no {split} window of {horizon} steps fits into {len(split_of_day)} days; give more days")
    return starts.astype(np.int64)


def training_rows(split_of_day: np.ndarray, steps_per_row: int) -> np.ndarray:
    """(rows,) bool: rows that lie on training days."""
    return np.repeat(split_of_day == SPLITS.index("train"), STEPS_PER_DAY // steps_per_row)


def _inside(allowed_day: np.ndarray, horizon: int, num_rows: int, steps_per_row: int) -> np.ndarray:
    """Start steps whose first to last interpolation row all lie on allowed days."""
    allowed_row = np.repeat(allowed_day, STEPS_PER_DAY // steps_per_row)[:num_rows]
    forbidden = np.concatenate([[0], np.cumsum(~allowed_row)])  # forbidden rows before each row
    start = np.arange(num_rows * steps_per_row)
    first, last = start // steps_per_row, -(-(start + horizon) // steps_per_row)
    start, first, last = start[last < num_rows], first[last < num_rows], last[last < num_rows]
    return start[forbidden[last + 1] == forbidden[first]]
