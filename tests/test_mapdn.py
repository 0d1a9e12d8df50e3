"""The loader of the original csv files, on small files of their layout."""

from pathlib import Path

import numpy as np
import pandas
import pytest
from refusals import refused

from replication.data.mapdn import FILES, load_mapdn
from replication.data.profiles import sample
from replication.envs.feeder import synthetic
from replication.envs.voltage_control import VoltageControl, VoltageControlSettings
from replication.seeding import keys
from replication.settings import BadInput

DAYS = 35
FEEDER = synthetic(2)
LOADS = np.flatnonzero(FEEDER.load_mw)


def tables(days: int = DAYS) -> dict[str, pandas.DataFrame]:
    """Smooth random load and a sun between six and six, in steps of 3 minutes from 1 January 2012."""
    rng = np.random.default_rng(5)
    time = pandas.date_range("2012-01-01", periods=days * 480, freq="3min")
    wobble = 1 + 0.5 * np.sin(np.arange(len(time))[:, None] / 97 + rng.random(len(LOADS)))
    hour = np.asarray(time.hour + time.minute / 60)
    sun = np.maximum(0, np.sin((hour - 6) / 12 * np.pi))[:, None] * FEEDER.pv_mva / 1.2
    values = (wobble * FEEDER.load_mw[LOADS], wobble * FEEDER.load_mvar[LOADS], sun)
    frames = {}
    for name, table in zip(FILES, values, strict=True):
        frames[name] = pandas.DataFrame(table).round(6)
        frames[name].insert(0, "date", time.astype(str))
    return frames


def write(folder: Path, frames: dict[str, pandas.DataFrame]) -> Path:
    for name, frame in frames.items():
        frame.to_csv(folder / name, index=False)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("mapdn"), tables())


def test_columns_reach_their_buses_and_inverters(folder):
    profiles = load_mapdn(folder, FEEDER)
    frames = tables()
    assert profiles.steps_per_row == 1
    steps = np.array([0, 1, 777, DAYS * 480 - 1])
    load, reactive, solar = sample(profiles, steps)
    assert np.allclose(load[:, LOADS], frames["load_active.csv"].iloc[steps, 1:].to_numpy())
    assert np.allclose(reactive[:, LOADS], frames["load_reactive.csv"].iloc[steps, 1:].to_numpy())
    assert np.allclose(solar, frames["pv_active.csv"].iloc[steps, 1:].to_numpy())
    assert np.all(load[:, FEEDER.load_mw == 0] == 0)
    assert profiles.pv_mw().sum(axis=1).max() == pytest.approx(FEEDER.pv_mva.sum() / 1.2, rel=1e-3)
    doubled = load_mapdn(folder, FEEDER, load_scale=2.0, pv_scale=0.5)
    assert np.allclose(sample(doubled, steps)[0], 2 * load)
    assert np.allclose(sample(doubled, steps)[2], 0.5 * solar)


def test_a_world_runs_on_them(folder):
    """As the module shows: the world's own scales say nothing about given profiles."""
    profiles = load_mapdn(folder, FEEDER)
    settings = VoltageControlSettings(split="test", load_scale=0.1, noise_level=0.0)
    world = VoltageControl("voltage/synthetic-2", FEEDER, settings, num_envs=2, profiles=profiles)
    world.reset(keys("original profiles", count=2), windows=np.array([0, 3]))
    load, _, _ = sample(profiles, profiles.windows("test", settings.horizon)[[0, 3]])
    assert load.max() > 0
    assert np.allclose(world.state()[:, : load.shape[1]], load, atol=1e-6)


def test_days_are_split_by_the_same_rule(folder):
    profiles = load_mapdn(folder, FEEDER)
    split = profiles.split_of_day
    assert len(split) == DAYS
    assert np.sum(split[:31] == 2) == 10
    assert np.sum(split == 1) >= 2
    assert split[-1] == 0
    assert np.array_equal(profiles.windows("test", 480), np.flatnonzero(split == 2) * 480)
    starts = profiles.windows("train", 240)
    assert np.all(split[starts // 480] == 0)
    assert np.all(split[(starts + 240) // 480] == 0)


def test_a_last_part_day_is_left_out(tmp_path):
    frames = {name: frame.iloc[:-100] for name, frame in tables(20).items()}
    assert load_mapdn(write(tmp_path, frames), FEEDER).num_rows == 19 * 480


def replaced(frame: pandas.DataFrame, row: int, column: int, value: object) -> pandas.DataFrame:
    changed = frame.astype(object)
    changed.iloc[row, column] = value
    return changed


@pytest.mark.parametrize(
    "name, change, message",
    [
        (
            "pv_active.csv",
            lambda frame: frame.drop(columns=frame.columns[-1]),
            "has 1 columns after the time; .* needs 2",
        ),
        ("load_active.csv", lambda frame: replaced(frame, 50, 1, None), "column 0 has no number in row 50"),
        ("load_reactive.csv", lambda frame: replaced(frame, 50, 2, "n/k"), "must hold numbers"),
        ("load_active.csv", lambda frame: frame.drop(index=99), "row 99 .* by 3 minutes; close gaps"),
        ("load_active.csv", lambda frame: replaced(frame, 7, 0, "noon"), "row 7 has no time like"),
        ("load_active.csv", lambda frame: frame.iloc[5:], "must start at midnight"),
        ("pv_active.csv", lambda frame: frame.iloc[:-480], "must cover the same time"),
        ("pv_active.csv", lambda frame: replaced(frame, 200, 1, 99.0), "above its inverter's"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, change, message):
    frames = tables(16)
    frames[name] = change(frames[name])
    with refused(message):
        load_mapdn(write(tmp_path, frames), FEEDER)


def test_missing_files_and_too_few_days_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no load_active\.csv in the MAPDN folder"):
        load_mapdn(tmp_path, FEEDER)
    with pytest.raises(BadInput, match="3 whole days"):
        load_mapdn(write(tmp_path, tables(3)), FEEDER)
