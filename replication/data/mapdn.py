"""The original profiles of 2110.14300, for those who have them.

Three csv files per feeder in one folder: `load_active.csv` [MW], `load_reactive.csv` [MVAr] and
`pv_active.csv` [MW]; first column the time in steps of 3 minutes, one further column per load or PV plant.
Columns are taken by position: loads in the order of their bus numbers, PV plants in the order of the
feeder's inverters, as the original environment does. A world takes them as its `profiles`:

    feeder = replication.envs.feeder.case33()
    settings = VoltageControlSettings(split="test")
    world = VoltageControl("voltage/case33", feeder, settings, num_envs=8, profiles=load_mapdn(folder, feeder))

with both classes from `replication.envs.voltage_control`. Loads and PV are scaled by `load_mapdn` then: the world's
own `load_scale`, `pv_scale` and `assignment_seed` say nothing about given profiles.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas

from replication.data.days import STEPS_PER_DAY, draw_held_out_days
from replication.data.profiles import INVERTER_OVERSIZING, Profiles
from replication.data.year import check_complete
from replication.settings import BadInput

FILES = ("load_active.csv", "load_reactive.csv", "pv_active.csv")
STEP = pandas.Timedelta(minutes=3)


def load_mapdn(folder: Path | str, feeder: Any, *, load_scale: float = 1.0, pv_scale: float = 1.0) -> Profiles:
    """Profiles of a feeder from the original csv files.

    Whole days from midnight are used; ten test and two validation days per calendar month are drawn over all
    years together, by the rule of `replication.data.days`.

    Args:
        folder: where the three files lie.
        feeder: the `replication.envs.feeder.Feeder` they belong to.
        load_scale: factor on all loads (the original environment's demand_scale).
        pv_scale: factor on all PV power.

    Raises:
        BadInput: a missing file, another number of columns than the feeder has loads or inverters, text or gaps
            among the numbers, times that are not 3 minutes apart or do not start at midnight, too few days, or PV
            power above an inverter's rating.
    """
    loaded = np.flatnonzero((feeder.load_mw != 0) | (feeder.load_mvar != 0))
    loaded = loaded[np.argsort(feeder.bus_label[loaded])]
    widths = (len(loaded), len(loaded), len(feeder.pv_bus))
    tables = [_read(Path(folder) / name, width, feeder.name) for name, width in zip(FILES, widths, strict=True)]
    days, months = _common_days([time for time, _ in tables])
    active, reactive, solar = (values[: days * STEPS_PER_DAY] for _, values in tables)
    _check_ratings(solar * pv_scale, feeder)
    shape_of_bus = np.zeros(len(feeder.load_mw), dtype=np.int64)
    shape_of_bus[loaded] = np.arange(len(loaded))
    scale = np.zeros(len(feeder.load_mw))
    scale[loaded] = load_scale
    return Profiles(
        source=f"MAPDN csv files on {feeder.name}, load {load_scale:g}, PV {pv_scale:g}",
        steps_per_row=1,
        load_p_shape=active,
        load_q_shape=reactive,
        load_shape_of_bus=shape_of_bus,
        load_mw_scale=scale,
        load_mvar_scale=scale.copy(),
        pv_shape=solar,
        pv_shape_of_agent=np.arange(len(feeder.pv_bus)),
        pv_mw_scale=np.full(len(feeder.pv_bus), float(pv_scale)),
        pv_peak_mw=feeder.pv_mva / INVERTER_OVERSIZING,
        split_of_day=draw_held_out_days(months),
    )


def _read(path: Path, width: int, feeder_name: str) -> tuple[pandas.Series, np.ndarray]:
    """Times and values (rows, width) of one file."""
    if not path.is_file():
        raise BadInput(f"no {path.name} in the MAPDN folder; needed: {', '.join(FILES)}")
    columns = list(pandas.read_csv(path, nrows=0).columns)
    if len(columns) != width + 1:
        raise BadInput(f"{path.name} has {len(columns) - 1} columns after the time; {feeder_name} needs {width}")
    table = pandas.read_csv(path, low_memory=False)
    try:
        values = table[columns[1:]].to_numpy(dtype=float)
    except ValueError as error:
        raise BadInput(f"{path.name}: {error}; every column after the time must hold numbers") from None
    check_complete(path.name, values, columns[1:])
    return _check_times(path.name, table[columns[0]]), values


def _check_times(name: str, text: pandas.Series) -> pandas.Series:
    time = pandas.to_datetime(text, format="ISO8601", errors="coerce")
    unread = np.flatnonzero(time.isna())
    if len(unread):
        raise BadInput(f"{name}: row {unread[0]} has no time like 2012-01-31 00:03:00, got {text.iloc[unread[0]]!r}")
    if len(time) and time.iloc[0] != time.iloc[0].normalize():
        raise BadInput(f"{name} must start at midnight, got {time.iloc[0]}; cut the rows of the first part day")
    torn = np.flatnonzero(time.diff().iloc[1:] != STEP) + 1
    if len(torn):
        row = torn[0]
        raise BadInput(
            f"{name}: row {row} ({time.iloc[row]}) must follow {time.iloc[row - 1]} by 3 minutes; close gaps"
        )
    return time


def _common_days(times: list[pandas.Series]) -> tuple[int, np.ndarray]:
    """Number of whole days and the calendar month of each."""
    for name, time in zip(FILES[1:], times[1:], strict=True):
        if len(time) != len(times[0]) or (len(time) and time.iloc[0] != times[0].iloc[0]):
            raise BadInput(f"{name} and {FILES[0]} must cover the same time, got {len(time)} and {len(times[0])} rows")
    days = len(times[0]) // STEPS_PER_DAY
    return days, times[0].iloc[: days * STEPS_PER_DAY : STEPS_PER_DAY].dt.month.to_numpy()


def _check_ratings(solar: np.ndarray, feeder: Any) -> None:
    peak = solar.max(axis=0, initial=0.0)
    if np.any(peak > feeder.pv_mva):
        column = int(np.argmax(peak - feeder.pv_mva))
        power = f"{peak[column]:.4g} MW, above its inverter's {feeder.pv_mva[column]:.4g} MVA"
        raise BadInput(f"{FILES[2]}: PV column {column} reaches {power}; is this folder for {feeder.name}?")
