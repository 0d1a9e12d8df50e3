"""Files and folders that appear whole or not at all: written beside their place, then renamed into it.

What a kill leaves behind is hidden, ends in `.tmp`, and is swept by whoever writes there next.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write one file, flushed to disk before the rename."""
    write_files({path: content})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write all files beside their places, flushed to disk, then rename them in the given order."""
    unfinished = {path: _beside(path) for path in contents}
    try:
        for path, temporary in unfinished.items():
            with open(temporary, "wb") as file:
                file.write(contents[path])
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in unfinished.items():
            os.replace(temporary, path)
    finally:
        for temporary in unfinished.values():
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill; it becomes `path` at the end unless something is raised."""
    temporary = _beside(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_torn(folder: Path, name: str = "") -> None:
    """Delete temporary files that a killed process left in `folder`: all, or those of the files `name`.*"""
    for path in folder.glob(".*.tmp"):
        if path.is_file() and path.name.startswith(f".{name}." if name else "."):
            path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
