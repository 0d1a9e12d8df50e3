"""From a `.py:percent` source to an executed notebook: one-way conversion, checked parameters, papermill.

Notebooks run through papermill's API, each in a kernel of its own that is this very Python, whatever kernels
and start-up files the user has.
"""

import ast
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from replication.orchestration import files, project, scrub
from replication.settings import BadInput, suggest

PARAMETERS = "parameters"


class NotebookFailed(RuntimeError):
    """A cell of a notebook raised an error; the message names the cell and the kept copy."""


def sources(folder: Path | None = None) -> dict[str, Path]:
    """Notebook name without its number -> source, in order ("00_scorecard.py" is "scorecard")."""
    found = sorted((folder or project.root() / "notebooks").glob("[0-9][0-9]_*.py"))
    return {path.stem[3:]: path for path in found}


def convert(source: Path) -> NotebookNode:
    """Notebook of a `.py:percent` file, in memory, with the plain Python kernel and fixed cell ids."""
    import jupytext

    return scrub.clean(jupytext.read(source, fmt="py:percent"), {})


def parameters_of(notebook: NotebookNode) -> dict[str, Any]:
    """Names and values of the cell tagged `parameters`, which holds literals only."""
    cells = [cell for cell in notebook.cells if PARAMETERS in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise BadInput(f"a notebook has one cell tagged {PARAMETERS!r}, found {len(cells)}")
    values = {}
    for line in ast.parse(cells[0].source).body:
        if not (isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name)):
            raise BadInput(f"the parameters cell holds lines `name = literal` only, found {ast.unparse(line)!r}")
        try:
            values[line.targets[0].id] = ast.literal_eval(line.value)
        except ValueError:
            raise BadInput(f"the parameters cell holds literals only, found {ast.unparse(line)!r}") from None
    return values


def check_parameters(given: dict[str, Any], known: dict[str, Any]) -> None:
    """Raise a one-line `BadInput` for parameters the notebook does not have, or values of another type."""
    unknown = [name for name in given if name not in known]
    if unknown:
        names = ", ".join(f"{name}{suggest(name, known)}" for name in unknown)
        raise BadInput(f"unknown parameter(s): {names}; known: {', '.join(known)}")
    for name, value in given.items():
        wanted = type(known[name])
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise BadInput(f"parameter {name} must be of type {wanted.__name__}, got {value!r}")


def execute(source: Path, target: Path, given: dict[str, Any], failed: Path, scratch: str | None = None) -> Path:
    """Run a notebook and write its executed copy.

    Args:
        source: `.py:percent` file.
        target: where the executed .ipynb goes; it is replaced only when every cell succeeded.
        given: parameters by name; `runs` and `figures` may be absolute, they do not enter the copy then.
        failed: where a copy is kept when a cell fails.
        scratch: an existing folder for what is written meanwhile; None is the system's own.

    Returns:
        `target`.

    Raises:
        BadInput: unknown parameter or wrong type, before a kernel starts.
        NotebookFailed: a cell raised an error or the kernel died.
    """
    notebook = convert(source)
    known = parameters_of(notebook)
    check_parameters(given, known)
    shown, moved, places = _portable(given)
    changed = {name: value for name, value in shown.items() if value != known[name]}
    with (
        tempfile.TemporaryDirectory(prefix="replication-", dir=scratch) as temporary,
        _own_kernel(Path(temporary), moved),
    ):
        places[Path(temporary)] = "<temporary>"
        written = Path(temporary, "executed.ipynb")
        error = _run(notebook, written, changed)
        if error is None:
            _write(written, target, places)
            failed.unlink(missing_ok=True)
            return target
        copy = f"; copy kept at {project.shown(failed)}" if _write(written, failed, places) else ""
    raise NotebookFailed(scrub.without_places(f"notebook {source.stem} failed {error}{copy}", places))


def _run(notebook: NotebookNode, written: Path, given: dict[str, Any]) -> str | None:
    """Papermill's API; returns None or where and why it failed."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    quiet = {"transport_encryption": "auto"}  # newer kernels warn at every start without it
    settings = Config({"KernelManager": quiet, "AsyncKernelManager": quiet})
    try:
        papermill.execute_notebook(
            notebook,
            str(written),
            given,
            kernel_name="python3",
            progress_bar=False,
            cwd=project.root(),
            config=settings,
        )
    except PapermillExecutionError as error:
        return f"in {_cell(notebook, error.source)} (In [{error.exec_count}]): {error.ename}: {error.evalue}"
    except DeadKernelError:
        return "because its kernel died, most likely for lack of memory"
    except CellTimeoutError as error:
        return f"because a cell took too long: {str(error).splitlines()[0]}"
    return None


def _cell(notebook: NotebookNode, source: str) -> str:
    """`cell 7 "fig = draw(...)" under "Losses"`."""
    heading = ""
    for number, cell in enumerate(notebook.cells, start=1):
        lines = cell.source.splitlines()
        if cell.cell_type == "markdown":
            heading = next((line.lstrip("# ") for line in lines if line.startswith("#")), heading)
        elif cell.source == source:
            under = f" under {heading!r}" if heading else ""
            return f"cell {number} {lines[0] if lines else ''!r}{under}"
    return "a cell"


def _write(executed: Path, target: Path, places: dict[Path, str]) -> bool:
    import nbformat

    if not executed.is_file():
        return False
    content = scrub.dumps(scrub.clean(nbformat.read(executed, as_version=4), places))
    target.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(target, content)
    return True


def _portable(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], dict[Path, str]]:
    """Parameters without machine paths, the variables that carry these instead, and the words for them."""
    shown, moved, places = dict(given), {}, {project.root(): "", project.PACKAGE.parent: ""}
    for name in ("runs", "figures"):
        if name not in given:
            continue
        folder = project.resolve(str(given[name]))
        if folder.is_relative_to(project.root()):
            shown[name] = project.shown(folder)
        else:
            shown[name], moved[f"REPLICATION_{name.upper()}"], places[folder] = name, str(folder), name
    return shown, moved, places


@contextlib.contextmanager
def _own_kernel(folder: Path, more: dict[str, str]) -> Iterator[None]:
    """While inside, kernels are this Python, import this package, and ignore the user's start-up files."""
    from ipykernel.kernelspec import get_kernel_dict

    kernel = folder / "kernels" / "python3"
    kernel.mkdir(parents=True)
    described = get_kernel_dict()
    described["argv"][0] = sys.executable
    (kernel / "kernel.json").write_text(json.dumps(described))
    path = os.pathsep.join(filter(None, [str(project.PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    changed = {
        "JUPYTER_PATH": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": path,
        "PYTHONHASHSEED": "0",
        "REPLICATION_PROJECT": str(project.root()),
        **more,
    }
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
