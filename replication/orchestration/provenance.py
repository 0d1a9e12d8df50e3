"""Where a result comes from: source digest, package versions, commit."""

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

from replication.envs.registry import FAMILIES
from replication.orchestration import discovery, project

PACKAGES = ("numpy", "scipy", "torch", "numba", "pydantic", "pandas", "distributed", "matplotlib", "pillow", "pot")
COMPUTING = {"algos", "envs", "data"}
LOADING = {"orchestration", "evidence", "notebook"}


@cache
def source_digest(paper: str) -> str:
    """12 hexadecimal digits of the code that computes the paper's results.

    Covers the paper's modules but its figures, and whatever of `replication/algos`, `envs` and `data` they come to
    import; comments, docstrings and layout do not count.
    """
    return _digest(sources(paper))


@cache
def drawing_digest(paper: str) -> str:
    """12 hexadecimal digits of the code that draws the paper's figures from its results.

    Covers the paper's figure modules, the publishing of figures, and whatever of `replication` they come to import
    but the loading of results; comments, docstrings and layout do not count.
    """
    return _digest(drawing_sources(paper))


def sources(paper: str) -> list[Path]:
    """The files that `source_digest` covers.

    A world is found by its name: a string "family/..." brings the module of that family.
    """
    begin = [path for path in discovery.folder(paper).glob("*.py") if not path.name.startswith("figures")]
    return _reached(begin, lambda floor: floor in COMPUTING)


def drawing_sources(paper: str) -> list[Path]:
    """The files that `drawing_digest` covers."""
    begin = [*discovery.folder(paper).glob("figures*.py"), project.PACKAGE / "publish.py"]
    return _reached(begin, lambda floor: floor not in LOADING)


def _reached(begin: list[Path], wanted: Callable[[str], bool]) -> list[Path]:
    """The files of `begin` and all they come to import on the wanted floors of `replication`."""
    found, waiting = set(begin), list(begin)
    while waiting:
        new = {path for name in _named(waiting.pop()) for path in _file_of(name, wanted)} - found
        found |= new
        waiting += new
    return sorted(found, key=lambda path: (path.parent.name, path.name))


def _named(path: Path) -> set[str]:
    """Dotted names of the modules a file imports, and of the world families it names in strings."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(module for family, module in FAMILIES.items() if node.value.startswith(f"{family}/"))
    return names


def _file_of(name: str, wanted: Callable[[str], bool]) -> list[Path]:
    """The file of a module of a wanted floor; none for anything else, or for the registry of all worlds."""
    top, _, rest = name.partition(".")
    path = project.PACKAGE.joinpath(*rest.split(".")).with_suffix(".py")
    inside = top == "replication" and wanted(rest.partition(".")[0])
    return [path] if inside and path.is_file() and path.name != "registry.py" else []


@cache
def packages() -> dict[str, str]:
    """Name -> version of the packages that can change a number or a picture; a missing one is left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def commit() -> str:
    """Short hash of the project's commit, "unknown" outside a repository. Information only."""
    command = ["git", "-C", str(project.root()), "rev-parse", "--short=12", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"


def threads() -> int:
    """Threads each process computes with."""
    return int(os.environ.get("OMP_NUM_THREADS", "0"))


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.parent.name}/{path.name}\n{_meaning(path)}".encode())
    return total.hexdigest()[:12]


def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
