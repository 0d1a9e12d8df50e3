"""Executed notebooks without the machine they ran on: no paths, no times, fixed ids, equal bytes."""

import hashlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python", "pygments_lexer": "ipython3"}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
_WIDGET = "application/vnd.jupyter.widget-view+json"
_PATTERNS = (
    (re.compile(re.escape(tempfile.gettempdir()) + r"/ipykernel_\d+/\d+\.py"), "<cell>"),
    (re.compile(r"\bat 0x[0-9a-f]{6,16}\b"), "at 0x0"),
)


def clean(notebook: NotebookNode, places: dict[Path, str]) -> NotebookNode:
    """Take out of an executed notebook what differs between machines and repetitions.

    A cell that only told a redraw not to train goes too: opened by hand, the notebook is its source.

    Args:
        notebook: executed notebook, changed in place.
        places: absolute folder -> what readers see instead.
    """
    notebook.metadata = NotebookNode(kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(LANGUAGE))
    seen: dict[str, int] = {}
    notebook.cells = [cell for cell in notebook.cells if not _only_forbids_training(cell)]
    _number(notebook)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        cell.id = _identity(cell.source, seen)
        if cell.cell_type == "code":
            cell.outputs = [_cleaned(output, places) for output in _joined(cell.outputs) if not _is_widget(output)]
    return notebook


def _only_forbids_training(cell: NotebookNode) -> bool:
    lines = [line for line in cell.source.splitlines() if line and not line.startswith("#")]
    return "injected-parameters" in cell.metadata.get("tags", []) and lines == ['cluster = "none"']


def _number(notebook: NotebookNode) -> None:
    """Number the executed cells in their order."""
    executed = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is not None]
    for count, cell in enumerate(executed, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count


def dumps(notebook: NotebookNode) -> bytes:
    """Bytes of an .ipynb file: sorted keys, one blank of indentation."""
    import nbformat

    return (nbformat.writes(notebook, version=4).rstrip("\n") + "\n").encode()


def without_places(text: str, places: dict[Path, str]) -> str:
    """`text` with machine paths, kernel files and memory addresses replaced."""
    known = {**places, Path(sys.prefix): "<python>", Path(sys.base_prefix): "<python>", Path.home(): "~"}
    for folder, shown in sorted(known.items(), key=lambda item: -len(str(item[0]))):
        if len(folder.parts) < 2:  # the root folder is no secret
            continue
        text = text.replace(f"{folder}/", f"{shown}/" if shown else "").replace(str(folder), shown or ".")
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text


def _identity(source: str, seen: dict[str, int]) -> str:
    seen[source] = seen.get(source, 0) + 1
    return hashlib.sha256(f"{seen[source]}:{source}".encode()).hexdigest()[:12]


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbouring pieces of one stream put together: where it was cut depends on timing."""
    whole: list[NotebookNode] = []
    for output in outputs:
        last = whole[-1] if whole else None
        if output.output_type == "stream" and last and last.get("name") == output.name:
            last.text += output.text
        else:
            whole.append(output)
    return whole


def _is_widget(output: NotebookNode) -> bool:
    return _WIDGET in output.get("data", {})


def _cleaned(value: Any, places: dict[Path, str]) -> Any:
    if isinstance(value, str):
        return without_places(value, places)
    if isinstance(value, list):
        return [_cleaned(item, places) for item in value]
    if isinstance(value, dict):
        return NotebookNode(
            {name: item if name.startswith("image/") else _cleaned(item, places) for name, item in value.items()}
        )
    return value
