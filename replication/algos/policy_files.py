"""A policy on disk: NAME.safetensors holds its arrays, NAME.json its card."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from replication.algos.nets import Arrays
from replication.settings import BadInput
from replication.writing import write_files


def write(path: str | Path, arrays: Arrays, card: dict) -> None:
    """Write `path`.safetensors and `path`.json, each complete or not at all."""
    weights, described = _files(path)
    write_files({weights: save(arrays), described: json.dumps(card, indent=1, sort_keys=True).encode()})


def read(path: str | Path) -> tuple[Arrays, dict]:
    """The arrays and the card that `write` wrote.

    Raises:
        BadInput: a file is missing or damaged.
    """
    weights, described = _files(path)
    for file in (weights, described):
        if not file.exists():
            raise BadInput(f"no policy file {file}; a saved policy is NAME.safetensors and NAME.json, give their NAME")
    try:
        return load(weights.read_bytes()), json.loads(described.read_text())
    except (SafetensorError, ValueError) as error:
        raise BadInput(f"policy {path} is damaged ({error}); copy it again or train it anew") from None


def _files(path: str | Path) -> tuple[Path, Path]:
    stem = Path(path)
    return stem.with_name(f"{stem.name}.safetensors"), stem.with_name(f"{stem.name}.json")
