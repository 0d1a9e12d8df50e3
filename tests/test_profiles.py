"""The year of profiles: split, windows, scales, interpolation, and bad files."""

import dataclasses

import numpy as np
import pytest
from refusals import refused

from replication.data.days import STEPS_PER_DAY, draw_held_out_days, window_starts
from replication.data.profiles import on_feeder, sample
from replication.data.year import DAYS_FILE, PROFILES_FILE, Bundle, data_digest, load_bundle, read_days
from replication.envs.feeder import case33, case141, case322, synthetic
from replication.envs.power_flow import solve
from replication.settings import BadInput


def rows_used(starts: np.ndarray, horizon: int, steps_per_row: int) -> np.ndarray:
    """Every row that a sample of any of the windows is interpolated from, the plain way."""
    used = set()
    for start in starts:
        for step in range(start, start + horizon + 1):
            used |= {step // steps_per_row, -(-step // steps_per_row)}
    return np.array(sorted(used))


def test_the_bundle_holds_a_leap_year_of_21_plus_6_loads_and_8_suns():
    year = load_bundle()
    assert year.load_p.shape == year.load_q.shape == (366 * 96, 27)
    assert year.pv.shape == (366 * 96, 8)
    assert sum(name[0] in "HG" for name in year.load_names) == 21
    assert year.load_p.min() == 0
    assert year.load_p.max() == 1
    assert year.pv[: 4 * 4].max() == 0  # before four in the morning of New Year
    assert 0.58 < year.pv.max() < 0.64


def test_ten_test_and_two_validation_days_every_month():
    split = load_bundle().split_of_day
    month = (np.datetime64("2016-01-01") + np.arange(366)).astype("datetime64[M]").astype(int) % 12 + 1
    assert np.array_equal(np.bincount(month[split == 2])[1:], np.full(12, 10))
    assert np.array_equal(np.bincount(month[split == 1])[1:], np.full(12, 2))
    assert split[-1] == 0
    assert np.array_equal(split, draw_held_out_days(month))
    test_days, validation_days = np.flatnonzero(split == 2), np.flatnonzero(split == 1)
    assert np.abs(test_days[:, None] - validation_days).min() > 1


@pytest.mark.parametrize("horizon", [1, 7, 100, 240, 480])
@pytest.mark.parametrize("steps_per_row", [1, 5])
def test_training_windows_never_touch_a_held_out_day_and_miss_none(horizon, steps_per_row):
    split = load_bundle().split_of_day[:70]
    rows_per_day = STEPS_PER_DAY // steps_per_row
    num_rows = len(split) * rows_per_day
    starts = window_starts(split, "train", horizon, num_rows, steps_per_row)
    allowed = np.repeat(split == 0, rows_per_day)
    expected = [
        start
        for start in range(num_rows * steps_per_row)
        if -(-(start + horizon) // steps_per_row) < num_rows
        and allowed[start // steps_per_row : -(-(start + horizon) // steps_per_row) + 1].all()
    ]
    assert starts.dtype == np.int64
    assert starts.tolist() == expected
    assert allowed[rows_used(starts[:: max(1, len(starts) // 50)], horizon, steps_per_row)].all()


def test_held_out_windows_start_on_their_days():
    profiles = on_feeder(case33())
    days = np.flatnonzero(profiles.split_of_day == 2)
    assert np.array_equal(profiles.windows("test", 480), days * 480)
    assert np.array_equal(profiles.windows("test", 240), np.sort(np.concatenate([days * 480, days * 480 + 240])))
    assert np.array_equal(profiles.windows("test", 60), days * 480)
    assert len(profiles.windows("validation", 240)) == 48
    for split in ("train", "validation", "test"):
        last = profiles.windows(split, 480).max() + 480
        assert [len(values) for values in sample(profiles, np.array([last]))] == [1, 1, 1]


def test_scales_and_noise_come_from_training_days_only():
    year = load_bundle()
    held_out = np.repeat(year.split_of_day != 0, 96)
    spoiled = {name: getattr(year, name).copy() for name in ("load_p", "load_q", "pv")}
    for values in spoiled.values():
        values[held_out] = 7 * values[held_out] + 3
    honest = on_feeder(case33())
    other = on_feeder(case33(), bundle=dataclasses.replace(year, **spoiled))
    for name in ("noise_mw", "noise_mvar", "noise_pv", "load_mw_scale", "pv_mw_scale", "pv_peak_mw"):
        assert np.array_equal(getattr(honest, name), getattr(other, name)), name
    steps = honest.windows("train", 240)[::500]
    for mine, theirs in zip(sample(honest, steps + 240), sample(other, steps + 240), strict=True):
        assert np.array_equal(mine, theirs)
    test_steps = honest.windows("test", 240) + 120
    assert not np.allclose(sample(honest, test_steps)[0], sample(other, test_steps)[0])


@pytest.mark.parametrize("make", [case33, case141, case322, lambda: synthetic(1000)])
def test_profiles_fit_every_feeder(make):
    feeder = make()
    profiles = on_feeder(feeder, load_scale=1.4)
    training = np.flatnonzero(profiles.training_rows)
    rows = training[:: len(training) // 200]
    assert profiles.load_mw(rows).shape == (len(rows), feeder.num_buses)
    largest_shape = profiles.load_p_shape[training].max(axis=0)
    assert np.allclose(largest_shape, 1.0)
    assert np.allclose(profiles.load_mw_scale, 1.4 * feeder.load_mw)
    loaded = feeder.load_mw > 0
    power_factor = feeder.load_mvar[loaded] / feeder.load_mw[loaded]
    assert np.allclose(profiles.load_mvar(rows)[:, loaded], profiles.load_mw(rows)[:, loaded] * power_factor)
    used = np.bincount(profiles.load_shape_of_bus[loaded], minlength=21)
    assert used.max() - used.min() <= 1
    assert np.allclose(profiles.pv_peak_mw, feeder.pv_mva / 1.2)
    zones = feeder.zone[feeder.pv_bus]
    for zone in np.unique(zones):
        assert len(set(profiles.pv_shape_of_agent[zones == zone])) == 1
    assert sum(array.nbytes for array in (profiles.load_p_shape, profiles.pv_shape)) < 10e6


def test_dense_columns_and_noise_agree_with_their_factors():
    profiles = on_feeder(case33(), load_scale=1.87, pv_scale=0.5, assignment_seed=2)
    load, solar = profiles.load_mw(), profiles.pv_mw()
    training = np.repeat(profiles.split_of_day == 0, 96)
    assert np.allclose(profiles.noise_mw, load[training].std(axis=0))
    assert np.allclose(profiles.noise_mvar, profiles.load_mvar()[training].std(axis=0))
    assert np.allclose(profiles.noise_pv, solar[training].std(axis=0))


def test_calibration_of_the_33_bus_feeder():
    years = [on_feeder(case33(), assignment_seed=seed) for seed in range(5)]
    load = [year.load_mw().sum(axis=1).max() for year in years]
    solar = [year.pv_mw().sum(axis=1).max() for year in years]
    assert 2.5 < min(load) < max(load) < 3.7  # 3.5 MW in the original data
    assert 8.0 < min(solar) < max(solar) < 9.1  # 8.75 MW there


def share_in_band(load_scale: float) -> float:
    """Share of test-day hours with every bus within 0.95-1.05 p.u. when nothing controls reactive power."""
    feeder = case33()
    profiles = on_feeder(feeder, load_scale=load_scale)
    hours = (profiles.windows("test", 480)[:, None] + np.arange(0, 480, 20)).ravel()
    load, reactive, solar = sample(profiles, hours)
    load[:, feeder.pv_bus] -= solar
    voltage = solve(feeder, load, reactive).voltage[:, 1:]
    return float(np.all((voltage >= 0.95) & (voltage <= 1.05), axis=1).mean())


def test_difficulty_without_control_is_near_the_published_one():
    assert share_in_band(1.4) == pytest.approx(0.86, abs=0.03)  # 0.86 published
    assert share_in_band(1.87) < share_in_band(1.4) - 0.05  # the stress setting


def test_samples_are_linear_between_rows():
    profiles = on_feeder(case33())
    steps = np.arange(700, 721)
    load, reactive, solar = sample(profiles, steps)
    times = np.arange(profiles.num_rows) * 5
    for values, column in ((load, profiles.load_mw), (reactive, profiles.load_mvar), (solar, profiles.pv_mw)):
        dense = column()
        expected = np.stack([np.interp(steps, times, dense[:, k]) for k in range(dense.shape[1])], axis=1)
        assert np.allclose(values, expected, rtol=1e-13, atol=1e-15)
    with pytest.raises(BadInput, match="steps must lie in"):
        sample(profiles, np.array([175680]))


def test_equal_seeds_give_equal_assignments_and_other_seeds_others():
    first, again, other = (on_feeder(case33(), assignment_seed=seed) for seed in (4, 4, 5))
    assert np.array_equal(first.load_shape_of_bus, again.load_shape_of_bus)
    assert np.array_equal(first.pv_shape_of_agent, again.pv_shape_of_agent)
    assert not np.array_equal(first.load_shape_of_bus, other.load_shape_of_bus)


def test_digest_changes_with_the_files_named():
    assert data_digest(["case33.json", "case141.json"]) == data_digest(["case141.json", "case33.json"])
    assert data_digest(["case33.json"]) != data_digest(["case141.json"])
    assert len(data_digest(["profiles-2016.npz"])) == 12
    with pytest.raises(BadInput, match=r"unknown data file 'case34.json'"):
        data_digest(["case34.json"])


def test_bad_questions_are_refused():
    profiles = on_feeder(case33())
    with pytest.raises(BadInput, match=r"unknown split 'tset'.*did you mean test"):
        profiles.windows("tset", 240)
    for horizon in (0, 481):
        with pytest.raises(BadInput, match=r"horizon must be 1\.\.480"):
            profiles.windows("train", horizon)
    for scales in ({"load_scale": 0.0}, {"load_scale": float("nan")}, {"pv_scale": -1.0}):
        with pytest.raises(BadInput, match="load_scale must be > 0"):
            on_feeder(case33(), **scales)
    with pytest.raises(BadInput, match="13 whole days"):
        draw_held_out_days(np.ones(13, dtype=int))
    with pytest.raises(BadInput, match="no test window"):
        window_starts(np.zeros(20, dtype=np.int8), "test", 240, 20 * 96, 5)


def small_year(days: int = 20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "load_names": np.array(["H0-A", "G1-B"]),
        "load_p": rng.random((days * 96, 2)),
        "load_q": rng.random((days * 96, 2)),
        "pv": rng.random((days * 96, 3)),
    }


def read_small(folder, arrays: dict[str, np.ndarray]) -> Bundle:
    """Write the arrays as a profile file and read it."""
    number = len(list(folder.iterdir()))
    path, days = folder / f"{number}.npz", folder / f"{number}.csv"
    np.savez(path, allow_pickle=False, **arrays)
    days.write_text("day,date,split\n3,,test\n8,,validation\n", encoding="utf-8")
    return load_bundle(path, days)


def test_another_profile_file_of_the_same_layout_is_read(tmp_path):
    year = read_small(tmp_path, small_year())
    assert np.flatnonzero(year.split_of_day).tolist() == [3, 8]
    assert on_feeder(case33(), bundle=year).load_p_shape.shape == (20 * 96, 2)


def test_bad_profile_files_are_refused_in_one_line(tmp_path):
    good = small_year()
    holed = good["load_q"].copy()
    holed[70, 1] = np.nan
    without_sun = {name: values for name, values in good.items() if name != "pv"}
    cases = [
        (good | {"load_q": holed}, "column G1-B has no number in row 70"),
        (good | {"pv": good["pv"][:-1]}, "pv must be a table of whole days"),
        ({name: values[:-5] if name != "load_names" else values for name, values in good.items()}, "whole days"),
        (good | {"load_names": good["load_names"][:1]}, "one column for each of the 1 load_names"),
        (without_sun, "lacks a block; needed: load_names, load_p, load_q, pv"),
        (small_year(days=5), "covers 5 days; at least 14"),
    ]
    for arrays, message in cases:
        with refused(message):
            read_small(tmp_path, arrays)
    with pytest.raises(BadInput, match=r"no profile file absent\.npz"):
        load_bundle(tmp_path / "absent.npz")
    (tmp_path / "torn.npz").write_bytes(PROFILES_FILE.read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"torn\.npz cannot be read"):
        load_bundle(tmp_path / "torn.npz")
    dark = read_small(tmp_path, good | {"pv": good["pv"] * [1, 0, 1]})
    with pytest.raises(BadInput, match="profile column 1 never rises above 0"):
        on_feeder(case33(), bundle=dark)


def test_a_bad_list_of_days_is_refused(tmp_path):
    path = tmp_path / "days.csv"
    for row in ("400,2016-01-01,test", "x,2016-01-01,test", "3,2016-01-04,exam"):
        path.write_text(f"day,date,split\n{row}\n", encoding="utf-8")
        with pytest.raises(BadInput, match=r"days\.csv: needed: a day 0\.\.365"):
            read_days(path, 366)
    assert np.array_equal(read_days(DAYS_FILE, 366), load_bundle().split_of_day)


def test_the_bundle_equals_its_sources():
    pytest.importorskip("simbench")
    from replication.data.build_bundle import differing_files

    assert differing_files(with_case141=False) == []
