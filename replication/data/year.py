"""The shipped year of profiles: SimBench 2016, rows of 15 minutes, and which of its days are held out."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from replication.data.days import SPLITS, STEPS_PER_DAY
from replication.data.feeders import BUNDLE
from replication.settings import BadInput

PROFILES_FILE = BUNDLE / "profiles-2016.npz"
DAYS_FILE = BUNDLE / "held-out-days.csv"
STEPS_PER_ROW = 5
UNIT = 1e-6  # profiles are stored as whole millionths, the precision of their source


@dataclass(frozen=True, eq=False)
class Bundle:
    """A year of normalised profiles: columns per unit of their own rating, rows of 15 minutes in standard time."""

    load_names: tuple[str, ...]  # (c,) profile names: H0.. household, G.. commercial, L.. farm, BL, WB
    load_p: np.ndarray  # (rows, c)
    load_q: np.ndarray  # (rows, c)
    pv: np.ndarray  # (rows, d)
    split_of_day: np.ndarray  # (days,) int8 index into `SPLITS`


@cache
def load_bundle(profiles_file: Path = PROFILES_FILE, days_file: Path = DAYS_FILE) -> Bundle:
    """Read the shipped year (or another file of the same layout).

    Raises:
        BadInput: missing file, missing or unequal columns, rows that are not whole days, too few days.
    """
    arrays = _read_arrays(profiles_file)
    names = tuple(str(name) for name in arrays["load_names"])
    count = len(arrays["load_p"])
    if arrays["load_q"].shape != (count, len(names)) or arrays["load_p"].shape != (count, len(names)):
        raise BadInput(f"{profiles_file.name}: load_p and load_q must have one column for each of {len(names)} names")
    rows_per_day = STEPS_PER_DAY // STEPS_PER_ROW
    if count % rows_per_day or len(arrays["pv"]) != count:
        raise BadInput(
            f"{profiles_file.name}: load and PV need the same whole days of {rows_per_day} rows, got {count}"
        )
    year = {name: arrays[name] * UNIT for name in ("load_p", "load_q", "pv")}
    return Bundle(load_names=names, split_of_day=read_days(days_file, count // rows_per_day), **year)


def read_days(path: Path, num_days: int) -> np.ndarray:
    """(days,) int8 split of every day from a list of the held-out ones (columns day, date, split)."""
    split = np.zeros(num_days, dtype=np.int8)
    text = "".join(line for line in path.read_text(encoding="utf-8").splitlines(True) if not line.startswith("#"))
    for row in csv.DictReader(io.StringIO(text)):
        if not 0 <= int(row["day"]) < num_days or row["split"] not in SPLITS:
            raise BadInput(f"{path.name}: day {row['day']} ({row['split']}) is not among {num_days} days and {SPLITS}")
        split[int(row["day"])] = SPLITS.index(row["split"])
    return split


def data_digest(names: Sequence[str]) -> str:
    """12 hexadecimal digits of shipped data files, named as in `replication/data/bundle`."""
    text = hashlib.sha256()
    for name in sorted(names):
        if not (BUNDLE / name).is_file():
            known = ", ".join(sorted(path.name for path in BUNDLE.iterdir()))
            raise BadInput(f"unknown data file {name!r}; known: {known}")
        text.update(name.encode() + b"\0" + hashlib.sha256((BUNDLE / name).read_bytes()).digest())
    return text.hexdigest()[:12]


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in ("load_names", "load_p", "load_q", "pv")}
    except FileNotFoundError:
        raise BadInput(f"no profile file {path.name}; build it with python -m replication.data.build_bundle") from None
    except KeyError as missing:
        raise BadInput(
            f"{path.name}: column block {missing} is missing; needed: load_names, load_p, load_q, pv"
        ) from None
