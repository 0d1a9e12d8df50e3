"""Every notebook of the project, from its source through papermill, on tiny budgets; and what the README promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from replication.notebook import NotebookParameters

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def test_every_notebook_runs_top_to_bottom_and_leaves_the_project_alone():
    before = {
        path: path.stat().st_mtime_ns for folder in ("notebooks", "figures") for path in (ROOT / folder).rglob("*")
    }
    ran = subprocess.run(
        [sys.executable, "-m", "replication", "figures", "--profile", "smoke", "--cluster", "inline"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert f"{len(NOTEBOOKS)} notebook(s) ran" in ran.stdout
    after = {
        path: path.stat().st_mtime_ns for folder in ("notebooks", "figures") for path in (ROOT / folder).rglob("*")
    }
    assert before == after


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_of_a_notebook_are_those_of_all(notebook):
    cells = re.split(r"^# %%", notebook.read_text(), flags=re.MULTILINE)
    (cell,) = [cell for cell in cells if 'tags=["parameters"]' in cell]
    assert re.findall(r"^(\w+) = ", cell, flags=re.MULTILINE) == list(NotebookParameters.model_fields)


def test_readme_names_the_commands_and_pictures_that_exist():
    text = (ROOT / "README.md").read_text()
    assert "python3 tasks.py figures" in text
    assert "python3 tasks.py test" in text
    assert "python3 tasks.py test" in (ROOT / ".ci" / "run").read_text()
    for place in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / place).is_file(), place
    code = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    for example in code:
        exec(compile(example, "README.md", "exec"), {})
