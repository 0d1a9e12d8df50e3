"""The notebook pipeline: conversion, parameters, execution, errors, and copies without the machine they ran on."""

import json
import re
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from toy_paper import project as toy

from replication import notebook as shown
from replication.notebook import NotebookParameters
from replication.orchestration import notebooks, project, scrub
from replication.settings import BadInput

PARAMETERS = """# %% tags=["parameters"]
profile = "full"
seeds = 0
runs = "runs"
figures = "figures"
cluster = "local"
"""
PUBLISHED = sorted((toy.REPOSITORY / "notebooks").glob("*.py"))


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a notebook source with the usual parameters and the given cells."""
    for name, value in toy.variables(REPLICATION_PROJECT=str(tmp_path)).items():
        monkeypatch.setenv(name, value)

    def make(*cells: str, parameters: str = PARAMETERS) -> Path:
        path = tmp_path / "notebooks" / "07_small.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("# %% [markdown]\n# # Small\n\n" + parameters + "".join(f"\n# %%\n{cell}\n" for cell in cells))
        return path

    return make


@pytest.fixture
def places(tmp_path):
    return {"target": tmp_path / "out" / "small.ipynb", "failed": tmp_path / "runs" / "small.failed.ipynb"}


# ---- before a kernel starts


@pytest.mark.parametrize(
    "given, message",
    [
        ({"sede": 3}, r"unknown parameter\(s\): sede \(did you mean seeds\?\); known: profile, seeds, runs"),
        ({"sede": 3, "x": 1}, r"unknown parameter\(s\): sede \(did you mean seeds\?\), x; known:"),
        ({"seeds": "three"}, "parameter seeds must be of type int, got 'three'"),
        ({"seeds": True}, "parameter seeds must be of type int, got True"),
    ],
)
def test_wrong_parameters_are_refused_before_a_kernel_starts(write, places, given, message, monkeypatch):
    monkeypatch.setattr(papermill, "execute_notebook", lambda *args, **kwargs: pytest.fail("a kernel was started"))
    with pytest.raises(BadInput, match=message):
        notebooks.execute(write(), given=given, **places)
    assert not places["target"].parent.exists()
    assert not places["failed"].parent.exists()


@pytest.mark.parametrize(
    "cell, message",
    [
        ('# %% tags=["parameters"]\nseeds = 2 * 3 + len("x")\n', "literals only, found .seeds = 2 . 3"),
        ('# %% tags=["parameters"]\nimport os\n', "`name = literal` only, found 'import os'"),
        ("# %%\nseeds = 0\n", "one cell tagged 'parameters', found 0"),
    ],
)
def test_parameters_cell_holds_literals_only(write, cell, message):
    with pytest.raises(BadInput, match=message):
        notebooks.parameters_of(notebooks.convert(write(parameters=cell)))


@pytest.mark.parametrize("wrong", [{"profile": "ful"}, {"seeds": -1}, {"cluster": "lokal"}, {"sede": 1}])
def test_the_notebook_checks_its_parameters_too(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        NotebookParameters(**wrong)


def test_pictures_of_other_profiles_stay_apart():
    full, quick = NotebookParameters(), NotebookParameters(profile="quick")
    assert full.figure_folder("toy") == project.root() / "figures" / "toy"
    assert quick.figure_folder("toy") == project.root() / "figures" / "quick" / "toy"


# ---- the published notebooks


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_published_notebook_has_the_common_parameters_and_no_kernel_of_its_own(path):
    converted = notebooks.convert(path)
    assert notebooks.parameters_of(converted) == NotebookParameters().plain()
    assert converted.metadata.kernelspec.name == "python3"
    assert converted.cells[0].source.startswith("# ")
    nbformat.validate(converted)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_executed_copy_belongs_to_its_source(path):
    copy = path.with_suffix(".ipynb")
    assert copy.exists(), "every notebook is published executed: replicate figures --redraw"
    executed = nbformat.read(copy, as_version=4)
    kept = [cell.source for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    assert kept == [cell.source for cell in notebooks.convert(path).cells]
    assert str(toy.REPOSITORY) not in copy.read_text()


# ---- execution


def test_executed_copies_have_outputs_equal_bytes_and_nothing_of_the_machine(write, places, tmp_path, monkeypatch):
    kernel = tmp_path / "foreign" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "Mine", "language": "x"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))  # somebody's own "python3" that would not start
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    source = write(
        "import os, sys, warnings\nprint(sys.executable, os.getcwd(), seeds, cluster)",
        "warnings.warn('careful')\nprint('a')\nprint('b', flush=True)\nobject()",
        "from pathlib import Path\nPath.cwd() / 'figures'",
        "import replication.settings\nprint(replication.settings.__file__)",
    )
    given = {"seeds": 3, "runs": str(tmp_path / "runs"), "figures": "/elsewhere/figures"}
    first = notebooks.execute(source, given=given, **places).read_bytes()
    assert notebooks.execute(source, given=given, **places).read_bytes() == first
    text = first.decode()
    for secret in (str(tmp_path), sys.prefix, str(toy.REPOSITORY), "/elsewhere", "papermill", "iopub", "ipykernel_"):
        assert secret not in text, secret
    executed = nbformat.reads(text, as_version=4)
    assert executed.metadata.kernelspec == scrub.KERNEL
    assert [cell.execution_count for cell in executed.cells if cell.cell_type == "code"] == [1, 2, 3, 4, 5, 6]
    assert "seeds = 3" in executed.cells[2].source
    outputs = [cell.outputs for cell in executed.cells[3:]]
    assert outputs[0][0].text.split()[-2:] == ["3", "local"]
    assert [output.get("text") for output in outputs[1] if output.get("name") == "stdout"] == ["a\nb\n"]
    assert "UserWarning: careful" in str(outputs[1])
    assert "PosixPath('figures')" in str(outputs[2]) or "WindowsPath" in str(outputs[2])
    assert "replication/settings.py" in outputs[3][0].text


def test_failing_cell_is_named_and_the_copy_kept(write, places, tmp_path):
    places["target"].parent.mkdir()
    places["target"].write_text("the last good one")
    source = write("good = 1", "# %% [markdown]\n# ## Losses\n\n# %%\nbad = good / 0", "print('never')")
    with pytest.raises(notebooks.NotebookFailed) as caught:
        notebooks.execute(source, given={}, **places)
    message = str(caught.value)
    assert message.startswith("notebook 07_small failed in cell ")
    assert "'bad = good / 0' under 'Losses' (In [3]): ZeroDivisionError: division by zero" in message
    assert message.endswith("copy kept at runs/small.failed.ipynb")
    assert "\n" not in message
    assert "ZeroDivisionError" in places["failed"].read_text()
    assert str(tmp_path) not in places["failed"].read_text()
    assert places["target"].read_text() == "the last good one"


def test_dead_kernel_is_told_apart_from_a_failing_cell(write, places):
    with pytest.raises(notebooks.NotebookFailed, match="because its kernel died, most likely for lack of memory"):
        notebooks.execute(write("import os\nos._exit(9)"), given={}, **places)


def test_runs_by_hand_from_the_notebooks_folder_and_by_plain_papermill(write, tmp_path):
    cell = (
        "from replication.notebook import NotebookParameters\n"
        "found = NotebookParameters(profile=profile, seeds=seeds, runs=runs, figures=figures, cluster=cluster)\n"
        "print(found.figure_folder('toy'), found.seeds)"
    )
    made = notebooks.convert(write(cell))
    nbformat.write(made, tmp_path / "plain.ipynb")
    NotebookClient(made, resources={"metadata": {"path": str(tmp_path / "notebooks")}}, kernel_name="python3").execute()
    assert made.cells[-1].outputs[0].text == f"{tmp_path / 'figures' / 'toy'} 0\n"
    output = papermill.execute_notebook(
        str(tmp_path / "plain.ipynb"), str(tmp_path / "out.ipynb"), {"seeds": 2}, progress_bar=False
    )
    assert output.cells[-1].outputs[0].text == f"{tmp_path / 'figures' / 'toy'} 2\n"


# ---- what notebooks show


def test_source_shows_the_lines_as_they_are():
    text = repr(shown.source(shown.source, 1, 2))
    assert text.splitlines()[0].startswith("# replication/notebook.py, lines ")
    assert text.splitlines()[1].startswith("def source(thing")
    assert len(text.splitlines()) == 3
    inner = repr(shown.source(NotebookParameters.figure_folder, 3, 4)).splitlines()
    assert inner[1].startswith("folder = ")
    assert "```python" in shown.source(shown.source)._repr_mimebundle_()["text/markdown"]


def plain(table: shown.Shown) -> str:
    """The table's HTML without its looks."""
    return re.sub(r' style="[^"]*"', "", table._repr_mimebundle_()["text/html"])


def test_describe_lists_every_setting_with_its_origin():
    page = plain(shown.describe(NotebookParameters(seeds=7)))
    assert "<td>seeds</td><td>7</td><td>seed</td>" in page
    assert page.count("<tr>") == 1 + len(NotebookParameters.model_fields)


def test_tables_escape_what_they_show():
    page = plain(shown.show_table([{"a<b": "<script>", "c": 0.1 + 0.2}]))
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert ">0.3<" in page
