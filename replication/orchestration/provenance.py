"""Where a result comes from: source digest, package versions, commit."""

import ast
import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from replication.orchestration import discovery, project

PACKAGES = ("numpy", "scipy", "torch", "numba", "pydantic", "pandas", "distributed", "matplotlib", "pot")


@cache
def source_digest(paper: str) -> str:
    """12 hexadecimal digits of the code that computes the paper's results.

    Covers `replication/algos`, `envs`, `data` and the paper's modules but its figures; comments,
    docstrings and layout do not count.
    """
    files = [path for part in ("algos", "envs", "data") for path in sorted((project.PACKAGE / part).glob("**/*.py"))]
    files += [path for path in sorted(discovery.folder(paper).glob("*.py")) if not path.name.startswith("figures")]
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.parent.name}/{path.name}\n{_meaning(path)}".encode())
    return total.hexdigest()[:12]


@cache
def packages() -> dict[str, str]:
    """Name -> version of the packages that can change a number; a missing one is left out."""
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


def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
