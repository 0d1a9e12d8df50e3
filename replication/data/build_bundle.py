"""Rebuild the data bundle from its public sources: python -m replication.data.build_bundle [--check]

Needs the extra `grid`. With `--check` nothing is written: the rebuilt content is compared with the
shipped one and the command fails where they differ.
"""

import csv
import datetime
import io
import sys
from pathlib import Path

import numpy as np

from replication.data.days import SPLITS, draw_held_out_days
from replication.data.year import DAYS_FILE, PROFILES_FILE, UNIT

FIRST_DAY = datetime.date(2016, 1, 1)


def simbench_year() -> dict[str, np.ndarray]:
    """The 27 classic load profiles (P and Q) and 8 PV profiles of SimBench 2016, in whole millionths.

    Rows are taken by position: the time stamps repeat an hour at the clock change, the rows do not.
    """
    import pandas
    import simbench

    folder = Path(simbench.__file__).parent / "networks" / "1-complete_data-mixed-all-0-sw"
    load = pandas.read_csv(folder / "LoadProfile.csv", sep=";")
    solar = pandas.read_csv(folder / "RESProfile.csv", sep=";")
    names = [column[: -len("_pload")] for column in load.columns if column.endswith("_pload")]
    classic = [name for name in names if name[0] in "BGHLW" and name[2] == "-"]
    return {
        "load_names": np.array(classic),
        "load_p": _millionths(load[[f"{name}_pload" for name in classic]].to_numpy()),
        "load_q": _millionths(load[[f"{name}_qload" for name in classic]].to_numpy()),
        "pv": _millionths(solar[[f"PV{k}" for k in range(1, 9)]].to_numpy()),
    }


def held_out_days(num_days: int) -> str:
    """Text of the list of test and validation days."""
    dates = [FIRST_DAY + datetime.timedelta(days=day) for day in range(num_days)]
    split = draw_held_out_days(np.array([date.month for date in dates]))
    text = io.StringIO()
    text.write("# Held-out days of 2016: 10 test and 2 validation days per month (replication/data/days.py).\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["day", "date", "split"])
    rows.writerows([day, dates[day], SPLITS[split[day]]] for day in np.flatnonzero(split))
    return text.getvalue()


def _millionths(values: np.ndarray) -> np.ndarray:
    return np.rint(values / UNIT).astype(np.int32)


def build(check: bool) -> list[str]:
    """Write the bundle, or with `check` compare it; returns the names of the files that differ."""
    year = simbench_year()
    days = held_out_days(len(year["pv"]) // 96)
    differing = []
    if check:
        with np.load(PROFILES_FILE, allow_pickle=False) as stored:
            same = set(stored) == set(year) and all(np.array_equal(stored[name], year[name]) for name in year)
        differing += [] if same else [PROFILES_FILE.name]
        differing += [] if DAYS_FILE.read_text(encoding="utf-8") == days else [DAYS_FILE.name]
    else:
        np.savez_compressed(PROFILES_FILE, allow_pickle=False, **year)
        DAYS_FILE.write_text(days, encoding="utf-8")
    return differing


if __name__ == "__main__":
    differing = build(check="--check" in sys.argv)
    print(f"differ: {', '.join(differing)}" if differing else "bundle complete")
    sys.exit(bool(differing))
