"""Where the project's folders are, and whether they can be written."""

import os
import tempfile
from pathlib import Path

from replication.settings import BadInput

PACKAGE = Path(__file__).resolve().parents[1]


def root() -> Path:
    """The project's folder: the variable REPLICATION_PROJECT, else the folder that holds the package.

    An installed copy without notebooks beside it looks upwards from the working folder.
    """
    given = os.environ.get("REPLICATION_PROJECT")
    if given:
        return Path(given).resolve()
    for folder in (PACKAGE.parent, Path.cwd(), *Path.cwd().parents):
        if (folder / "notebooks").is_dir() and (folder / "replication").is_dir():
            return folder.resolve()
    return PACKAGE.parent


def resolve(folder: str | Path) -> Path:
    """An absolute path; relative ones start at the project's folder."""
    return (root() / Path(folder).expanduser()).resolve()


def runs_folder(folder: str | Path = "runs") -> Path:
    """Where runs are kept: `folder`, or the variable REPLICATION_RUNS in place of the default "runs"."""
    return _movable(folder, "runs", "REPLICATION_RUNS")


def figures_folder(folder: str | Path = "figures") -> Path:
    """Where figures and committed results are: `folder`, or REPLICATION_FIGURES in place of the default "figures"."""
    return _movable(folder, "figures", "REPLICATION_FIGURES")


def shown(path: str | Path) -> str:
    """`path` as a reader should see it: relative to the project where it lies inside."""
    path = Path(path)
    return path.relative_to(root()).as_posix() if path.is_relative_to(root()) else str(path)


def writable(folder: Path, what: str) -> Path:
    """Return `folder` if files can be written there, else raise `BadInput`; leaves nothing behind.

    Args:
        folder: an absolute folder that may not exist yet.
        what: the option it came from, for the message.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            return folder
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot write {what} folder {str(folder)!r}: {reason}; choose another with --{what}") from None


def _movable(folder: str | Path, default: str, variable: str) -> Path:
    moved = os.environ.get(variable)
    return resolve(moved) if moved and str(folder) == default else resolve(folder)
