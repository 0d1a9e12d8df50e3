"""Files that appear whole or not at all, with equal bytes for equal content."""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from replication.writing import remove_torn as remove_torn
from replication.writing import write_bytes

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # a fixed time stamp: equal arrays give equal bytes
_NEVER_THINNED = 400  # an axis of up to this many points may be days or buses and is judged point by point


def write_json(path: Path, value: Any) -> None:
    """Readable JSON, keys in the given order."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None when it is missing or torn."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """A compressed .npz without time stamps; arrays of objects are refused."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(arrays):
            inner = io.BytesIO()
            np.lib.format.write_array(inner, np.asanyarray(arrays[name]), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_ZIP_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, inner.getvalue())
    return buffer.getvalue()


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def scores_bytes(seeds: tuple[int, ...], scores: dict[str, np.ndarray]) -> bytes:
    """`seed,metric,value` lines; numbers are written so that they read back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["seed", "metric", "value"])
    for metric, values in scores.items():
        for seed, value in zip(seeds, values, strict=True):
            writer.writerow([seed, metric, repr(float(value))])
    return text.getvalue().encode()


def read_scores(path: Path) -> list[tuple[int, str, float]]:
    """(seed, metric, value) rows of a scores.csv."""
    with open(path, newline="") as file:
        return [(int(row["seed"]), row["metric"], float(row["value"])) for row in csv.DictReader(file)]


def sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def thinned(curves: dict[str, np.ndarray], limit: int = 50_000) -> dict[str, np.ndarray]:
    """Curves in float32 with fewer points along time, so that they take at most about `limit` bytes.

    Time is the axis after the seeds (the first axis of "_" curves). Axes of equal length keep the same
    points, the first and the last among them; an axis of up to 400 points (days, buses, hours) stays whole.
    """
    small = {name: _single(array) for name, array in curves.items()}
    shortened = small
    for points in (4096, 2048, 1024, 512, 256, 128):
        shortened = {name: _every(array, int(not name.startswith("_")), points) for name, array in small.items()}
        if len(npz_bytes(shortened)) <= limit:
            break
    return shortened


def _single(array: np.ndarray) -> np.ndarray:
    array = np.asanyarray(array)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _every(array: np.ndarray, axis: int, points: int) -> np.ndarray:
    if array.ndim <= axis or array.shape[axis] <= max(points, _NEVER_THINNED):
        return array
    chosen = np.round(np.linspace(0, array.shape[axis] - 1, points)).astype(int)
    return np.take(array, chosen, axis=axis)
