"""Files of offline data: npz shards, their digests in a manifest, and one line about whatever does not fit it."""

import contextlib
import errno
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from replication.settings import BadInput

FORMAT = 1
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # a fixed time stamp: equal data give equal bytes
_SIZES = {"episodes", "horizon", "action_size"}
TABLES = ("environment", "episodes")  # parts of a card that are tables where they are given


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset folder.

    Raises:
        BadInput: there is none, or one of another format.
    """
    name = f"dataset {folder.name}"
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(
            f"{str(folder)!r} is no dataset: it has no manifest.json; write one with offline.write"
        ) from None
    except (OSError, ValueError):
        raise BadInput(f"{name}: manifest.json is damaged; delete the folder and collect anew") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise BadInput(f"{name} has format {found!r}, this version reads {FORMAT}; collect anew")
    if not {*_SIZES, "card", "shards"} <= set(manifest):
        raise BadInput(f"{name}: manifest.json lacks entries; write it with offline.write")
    if not _sensible(manifest):
        raise BadInput(f"{name}: manifest.json has entries that make no sense; write it with offline.write")
    return manifest


def _sensible(manifest: dict[str, Any]) -> bool:
    """Whether sizes are numbers from 1 on, files are named inside the folder, and shards hold all episodes."""
    shards = manifest["shards"]
    if not isinstance(shards, list) or not all(isinstance(said, dict) for said in (*shards, manifest["card"])):
        return False
    counts = [manifest[name] for name in _SIZES] + [said.get("episodes") for said in shards]
    if not all(type(count) is int and count > 0 for count in counts):
        return False
    named = all(
        isinstance(said.get("file"), str)
        and Path(said["file"]).name == said["file"]
        and type(said.get("bytes")) is int
        and isinstance(said.get("sha256"), str)
        for said in (*shards, manifest["card"])
    )
    return named and sum(said["episodes"] for said in shards) == manifest["episodes"]


def read_card(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """The card of a dataset folder.

    Raises:
        BadInput: it is not what the manifest says, or no card of these episodes.
    """
    content, wrong = sound(folder, manifest["card"]), f"dataset {folder.name}: {manifest['card']['file']}"
    try:
        card = json.loads(content)
    except ValueError:
        raise BadInput(f"{wrong} is no JSON; write the dataset with offline.write") from None
    if not isinstance(card, dict) or not all(isinstance(card.get(name, {}), dict) for name in TABLES):
        raise BadInput(f"{wrong} is no card: it and its {' and '.join(TABLES)} must be tables; write it anew")
    for name, column in card.get("episodes", {}).items():
        if not isinstance(column, list) or len(column) != manifest["episodes"]:
            raise BadInput(f"{wrong}: {name!r} must list one value for each of {manifest['episodes']} episodes")
    return card


def nearest(folder: Path) -> Path:
    """`folder`, or the folder above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


@contextlib.contextmanager
def one_line_when_full(path: Path) -> Iterator[None]:
    """Turn a disk that fills up while `path` is written into `BadInput`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BadInput(f"the disk of {str(path)!r} is full, nothing was kept; free some space or give another folder") \
            from None  # fmt: skip


def write_manifest(folder: Path, sizes: dict[str, int], shards: list[dict[str, Any]]) -> None:
    """Seal card.json and the shards of a folder."""
    manifest = {"format": FORMAT, **sizes, "card": entry(folder / "card.json"), "shards": shards}
    write_text(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def entry(path: Path) -> dict[str, Any]:
    """What the manifest says of a file."""
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": content}


def sound(folder: Path, said: dict[str, Any]) -> bytes:
    """Content of a file, if it is what the manifest says.

    Raises:
        BadInput: it is missing, cut or altered.
    """
    what, remedy = f"dataset {folder.name}: {said['file']}", "delete the folder and collect or copy it anew"
    try:
        content = (folder / said["file"]).read_bytes()
    except OSError:
        raise BadInput(f"{what} is missing; {remedy}") from None
    if len(content) != said["bytes"]:
        raise BadInput(f"{what} has {len(content)} bytes instead of {said['bytes']}; {remedy}")
    if hashlib.sha256(content).hexdigest() != said["sha256"]:
        raise BadInput(f"{what} is not what was written (its SHA-256 differs); {remedy}")
    return content


def complete(folder: Path) -> bool:
    """Whether all files the manifest names are there in their size; their content is checked on loading."""
    try:
        manifest = read_manifest(folder)
        return all((folder / said["file"]).stat().st_size == said["bytes"] for said in manifest["shards"])
    except (BadInput, OSError):
        return False


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An .npz without compression or time stamps, flushed to disk."""
    with open(path, "wb") as whole:
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(arrays):
                member = zipfile.ZipInfo(f"{name}.npy", date_time=_ZIP_TIME)
                with archive.open(member, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(arrays[name]), allow_pickle=False)
        whole.flush()
        os.fsync(whole.fileno())


def read_npz(folder: Path, said: dict[str, Any]) -> dict[str, np.ndarray]:
    """All arrays of a shard.

    Raises:
        BadInput: it is not what the manifest says, or no .npz.
    """
    content = sound(folder, said)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (AttributeError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"dataset {folder.name}: {said['file']} holds no episodes ({error}); write it anew") from None


def write_text(path: Path, text: str) -> None:
    """A text file, flushed to disk."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
