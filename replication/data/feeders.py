"""Feeder tables: the networks as plain text, one JSON file each, a row of numbers per line."""

import json
from pathlib import Path
from typing import Any

from replication.settings import BadInput, choose
from replication.writing import write_bytes

BUNDLE = Path(__file__).parent / "bundle"
TABLES = ("buses", "branches", "inverters")


def read_feeder(name: str) -> dict[str, Any]:
    """The table of a shipped feeder: `name`, `source`, `base_mva`, `slack`, `action_bound` and three tables.

    Each of `buses`, `branches`, `inverters` is a dictionary of columns; the units are in the column names.
    """
    known = [path.stem for path in BUNDLE.glob("case*.json")]
    table = json.loads((BUNDLE / f"{choose('feeder', name, known)}.json").read_text(encoding="utf-8"))
    return table | {part: _columns(table[part]) for part in TABLES}


def write_feeder(path: Path, table: dict[str, Any]) -> None:
    """Write a feeder table; equal tables give equal bytes.

    Args:
        path: the file to write.
        table: as returned by `read_feeder`.
    """
    head = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items() if key not in TABLES]
    parts = [f'  "{part}": {_rows_text(table[part])}' for part in TABLES]
    write_bytes(path, ("{\n" + ",\n".join(head + parts) + "\n}\n").encode())


def _columns(part: dict[str, Any]) -> dict[str, list]:
    width = len(part["columns"])
    for row in part["rows"]:
        if len(row) != width:
            raise BadInput(f"feeder table row {row} has {len(row)} numbers for {width} columns {part['columns']}")
    return {name: [row[k] for row in part["rows"]] for k, name in enumerate(part["columns"])}


def _rows_text(columns: dict[str, list]) -> str:
    rows = ",\n".join("    " + json.dumps(list(row)) for row in zip(*columns.values(), strict=True))
    return f'{{"columns": {json.dumps(list(columns))}, "rows": [\n{rows}\n  ]}}'
