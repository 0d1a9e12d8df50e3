"""Checkpoints: a nested state in one safetensors file, its plain part as JSON in the header.

One file means that one rename replaces the previous checkpoint: there is always a complete one.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from replication.orchestration.files import write_bytes

_MARK = "__kind__"


def save(path: Path, state: dict, **facts: Any) -> None:
    """Replace the checkpoint at `path` by `state`.

    Args:
        path: the checkpoint file.
        state: nested dicts, lists and tuples of numpy arrays, torch tensors, numpy generators and plain values.
        facts: plain values kept beside the state (step, seconds, ...).
    """
    from safetensors.numpy import save as to_bytes

    arrays: dict[str, np.ndarray] = {}
    tree = _flatten(state, arrays)
    header = {"state": json.dumps(tree), "facts": json.dumps(facts)}
    write_bytes(path, to_bytes(arrays, metadata=header))


def load(path: Path) -> tuple[dict, dict[str, Any]] | None:
    """(state, facts) of the checkpoint at `path`, or None when there is none that can be read."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            header = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        return _rebuild(json.loads(header["state"]), arrays), json.loads(header["facts"])
    except (SafetensorError, ValueError, KeyError, TypeError):
        return None


def facts(path: Path) -> dict[str, Any]:
    """Only the facts of the checkpoint at `path`; empty when there is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            return json.loads(file.metadata()["facts"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return {}


def _flatten(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _kept("tensor", value.detach().cpu().numpy(), arrays)
    if isinstance(value, np.ndarray):
        return _kept("array", value, arrays)
    if isinstance(value, np.generic):
        return _kept("scalar", np.asarray(value), arrays)
    if isinstance(value, np.random.Generator):
        return {_MARK: "generator", "state": _flatten(value.bit_generator.state, arrays)}
    if isinstance(value, dict):
        pairs = [[_flatten(name, arrays), _flatten(item, arrays)] for name, item in value.items()]
        return {_MARK: "dict", "items": pairs}
    if isinstance(value, tuple):
        return {_MARK: "tuple", "items": [_flatten(item, arrays) for item in value]}
    if isinstance(value, list):
        return [_flatten(item, arrays) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}; use arrays, tensors, generators or plain values")


def _kept(kind: str, array: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    name = str(len(arrays))
    arrays[name] = np.array(array, order="C")
    return {_MARK: kind, "name": name}


def _rebuild(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_rebuild(item, arrays) for item in value]
    return _REBUILD[value[_MARK]](value, arrays) if isinstance(value, dict) else value


def _rebuild_tensor(value: dict, arrays: dict[str, np.ndarray]) -> Any:
    import torch

    return torch.from_numpy(arrays[value["name"]].copy())


def _rebuild_generator(value: dict, arrays: dict[str, np.ndarray]) -> np.random.Generator:
    state = _rebuild(value["state"], arrays)
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)


_REBUILD: dict[str, Callable[[dict, dict[str, np.ndarray]], Any]] = {
    "tensor": _rebuild_tensor,
    "array": lambda value, arrays: arrays[value["name"]].copy(),
    "scalar": lambda value, arrays: arrays[value["name"]][()],
    "generator": _rebuild_generator,
    "dict": lambda value, arrays: {_rebuild(k, arrays): _rebuild(v, arrays) for k, v in value["items"]},
    "tuple": lambda value, arrays: tuple(_rebuild(item, arrays) for item in value["items"]),
}
