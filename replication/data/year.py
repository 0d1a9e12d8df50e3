"""The shipped year of profiles: SimBench 2016, rows of 15 minutes, and which of its days are held out."""

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from replication.data.days import FEWEST_DAYS, SPLITS, STEPS_PER_DAY
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
        BadInput: a missing or torn file, missing or unequal columns, NaN, rows that are not whole days, too few days.
    """
    name = profiles_file.name
    arrays = _read_arrays(profiles_file)
    load_names = tuple(str(given) for given in arrays["load_names"])
    rows, per_day = len(arrays["load_p"]), STEPS_PER_DAY // STEPS_PER_ROW
    for block in ("load_p", "load_q", "pv"):
        if arrays[block].ndim != 2 or len(arrays[block]) != rows or rows % per_day:
            shape = arrays[block].shape
            raise BadInput(
                f"{name}: {block} must be a table of whole days of {per_day} rows, as load_p is; got {shape}"
            )
    if not arrays["load_p"].shape[1] == arrays["load_q"].shape[1] == len(load_names):
        raise BadInput(f"{name}: load_p and load_q must have one column for each of the {len(load_names)} load_names")
    if rows < FEWEST_DAYS * per_day:
        raise BadInput(f"{name} covers {rows // per_day} days; at least {FEWEST_DAYS} are needed")
    check_complete(name, arrays["load_p"], load_names)
    check_complete(name, arrays["load_q"], load_names)
    check_complete(name, arrays["pv"], [f"PV{k + 1}" for k in range(arrays["pv"].shape[1])])
    year = {block: arrays[block] * UNIT for block in ("load_p", "load_q", "pv")}
    return Bundle(load_names=load_names, split_of_day=read_days(days_file, rows // per_day), **year)


def check_complete(name: str, table: np.ndarray, columns: Sequence[str]) -> None:
    """Raise a one-line `BadInput` naming the first NaN or infinity of a table (rows, columns)."""
    holes = np.argwhere(~np.isfinite(table))
    if len(holes):
        row, column = holes[0]
        raise BadInput(
            f"{name}: column {columns[column]} has no number in row {row} ({len(holes)} gaps); fill them first"
        )


def read_days(path: Path, num_days: int) -> np.ndarray:
    """(days,) int8 split of every day from a list of the held-out ones (columns day, date, split)."""
    split = np.zeros(num_days, dtype=np.int8)
    text = "".join(line for line in path.read_text(encoding="utf-8").splitlines(True) if not line.startswith("#"))
    for row in csv.DictReader(io.StringIO(text)):
        day = row.get("day") or ""
        if not day.isdigit() or int(day) >= num_days or row.get("split") not in SPLITS:
            raise BadInput(
                f"{path.name}: needed: a day 0..{num_days - 1} and a split of {SPLITS}, got {list(row.values())}"
            )
        split[int(day)] = SPLITS.index(row["split"])
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
    blocks = ("load_names", "load_p", "load_q", "pv")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in blocks}
    except FileNotFoundError:
        raise BadInput(f"no profile file {path.name}; build it with python -m replication.data.build_bundle") from None
    except KeyError:
        raise BadInput(f"{path.name} lacks a block; needed: {', '.join(blocks)}") from None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error):
        raise BadInput(f"{path.name} cannot be read; restore it from version control or rebuild the bundle") from None
