"""The score table: one row per experiment, arm, seed and metric. The one data type of `replication.stats`.

Columns: `experiment, arm, <settings that vary>..., seed, metric, value, key`; `key` names the run a row
comes from. Written to disk the table is plain csv with sorted rows, so equal scores give equal bytes.
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from replication.settings import BadInput, suggest

FIRST = ("experiment", "arm")
LAST = ("seed", "metric", "value", "key")


def score_table(rows: Iterable[Mapping[str, Any]] | pandas.DataFrame) -> pandas.DataFrame:
    """Checked table with columns and rows in their one order.

    Args:
        rows: mappings (or a data frame) with at least experiment, arm, seed, metric, value; `key` is "" if absent.

    Raises:
        BadInput: a column is missing, or the same (experiment, arm, seed, metric) occurs twice.
    """
    table = rows.copy() if isinstance(rows, pandas.DataFrame) else pandas.DataFrame(list(rows))
    if table.empty and not len(table.columns):
        table = pandas.DataFrame({name: [] for name in FIRST + LAST})
    if "key" not in table.columns:
        table["key"] = ""
    missing = [name for name in FIRST + LAST if name not in table.columns]
    if missing:
        raise BadInput(f"score table without column {missing[0]!r}; needed: {', '.join(FIRST + LAST[:-1])}")
    settings = sorted(name for name in table.columns if name not in FIRST + LAST)
    table = table[[*FIRST, *settings, *LAST]].astype({"value": float, "seed": int})
    identity = ["experiment", "arm", "seed", "metric"]
    twice = table[table.duplicated(identity)]
    if len(twice):
        which = " ".join(f"{name} {twice.iloc[0][name]}," for name in identity).rstrip(",")
        raise BadInput(f"score given twice for {which}; keep one row per seed and metric")
    return table.sort_values(["experiment", "arm", "metric", "seed"], kind="stable").reset_index(drop=True)


def find(table: pandas.DataFrame, experiment: str, arm: str, metric: str) -> pandas.DataFrame:
    """Rows of one arm and metric sorted by seed; empty when there are none."""
    chosen = (table["experiment"] == experiment) & (table["arm"] == arm) & (table["metric"] == metric)
    return table[chosen].sort_values("seed", kind="stable")


def pick(table: pandas.DataFrame, experiment: str, arm: str, metric: str) -> pandas.Series:
    """Values of one arm and metric, indexed by seed (ascending).

    Raises:
        BadInput: no such experiment, arm or metric; the message lists what there is.
    """
    rows = table
    for column, wanted in (("experiment", experiment), ("arm", arm), ("metric", metric)):
        known = sorted(set(rows[column]))
        if wanted not in known:
            near = suggest(wanted, known)
            raise BadInput(f"no scores for {column} {wanted!r}{near}; the table has: {', '.join(known) or 'nothing'}")
        rows = rows[rows[column] == wanted]
    rows = rows.sort_values("seed", kind="stable")
    return pandas.Series(rows["value"].to_numpy(float), index=rows["seed"].to_numpy(int), name=metric)


def matrix(table: pandas.DataFrame, experiment: str, arms: Iterable[str], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(seeds (S,), values (S, arms)) over the seeds that every arm has."""
    columns = [pick(table, experiment, arm, metric) for arm in arms]
    seeds = sorted(set.intersection(*(set(column.index) for column in columns))) if columns else []
    values = [column.loc[seeds].to_numpy(float) for column in columns]
    return np.array(seeds, dtype=int), np.array(values, dtype=float).reshape(len(columns), len(seeds)).T


def write(table: pandas.DataFrame, path: Path | str) -> None:
    """Write as csv, sorted, floats in full; through a temporary file, so no torn table is left behind."""
    table = score_table(table)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.astype(object).itertuples(index=False):
        cells = dict(zip(table.columns, row, strict=True))
        writer.writerow([repr(float(v)) if name == "value" else _to_text(v) for name, v in cells.items()])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_text(text.getvalue(), encoding="utf-8")
    unfinished.replace(path)


def read(path: Path | str) -> pandas.DataFrame:
    """Read what `write` wrote; numbers and truth values in setting columns come back as such.

    Raises:
        BadInput: the file is missing, or is not a score table.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"no score table at {path}; run the experiment first (replicate run)")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise BadInput(f"{path} line {number}: {len(row)} cells, the header has {len(header)}; write it again")
    text = {"experiment", "arm", "metric", "key"}
    columns = {name: [row[i] if name in text else _to_value(row[i]) for row in body] for i, name in enumerate(header)}
    try:
        return score_table(pandas.DataFrame(columns))
    except (TypeError, ValueError) as error:
        raise BadInput(f"{path} is not a score table: {error}") from None


def _to_text(value: Any) -> str:
    """One cell: whole numbers without a point (a column that met a gap became float), nothing for a gap."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer | float | np.floating):
        number = float(value)
        return str(int(value)) if number.is_integer() else repr(number)
    return json.dumps(value, sort_keys=True)


def _to_value(text: str) -> Any:
    if text in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[text]
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
