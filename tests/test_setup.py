"""The one command that installs: requirement files that agree, and bad conditions that end in one clear line."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import installation
import tasks

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("lock", "test", "grid", "site")
GIVEN = "jupyterlab papermill numpy matplotlib seaborn pot jupytext"
OURS = "ipykernel ipywidgets scipy pydantic numba gymnasium pettingzoo distributed safetensors pandas"


def pins(name: str) -> dict[str, set[str]]:
    """Package -> the pins (version and platform) of one lock."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if not line.startswith("#"):
            found.setdefault(canonicalize_name(Requirement(line).name), set()).add(line)
    return found


def versions(lines: set[str]) -> set[str]:
    return {line.split(";")[0].strip() for line in lines}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# ---- requirement files ----------------------------------------------------------------------------------------


def test_conda_environment_points_at_the_same_files() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, inner = environment["dependencies"]
    assert pip == "pip"
    assert inner == {"pip": ["-r requirements/torch.txt", "-r requirements/lock.txt", "-e ."]}
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python=") + ".0")


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_exact_versions_and_no_torch(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert not re.search(r"://|@|--|nvidia|cuda|triton", text)
    assert not re.search(r"(?m)^torch\b", text)
    for lines in pins(name).values():
        assert all(re.fullmatch(r"[a-z0-9._-]+==[0-9a-z.]+( ; .+)?", line) for line in lines)


def test_torch_is_fixed_and_within_the_range() -> None:
    torch = Requirement((ROOT / "requirements" / "torch.txt").read_text().strip())
    assert str(torch) == "torch==2.13.0"
    wanted = next(need for need in map(Requirement, PROJECT["dependencies"]) if need.name == "torch")
    assert wanted.specifier.contains("2.13.0")


def test_core_lock_holds_what_the_project_needs() -> None:
    core = pins("lock")
    assert set(f"{GIVEN} {OURS}".split()) <= set(core)
    assert "setuptools" in core  # installs the project itself, without a second download


@pytest.mark.parametrize("name", LOCKS)
def test_locks_satisfy_the_ranges(name: str) -> None:
    needs = list(PROJECT["dependencies"])
    if name != "lock":
        needs += PROJECT["optional-dependencies"][name]
    found = pins(name)
    for need in map(Requirement, needs):
        if need.name != "torch":
            for line in found[canonicalize_name(need.name)]:
                assert need.specifier.contains(line.split("==")[1].split(" ")[0]), f"{line} is not {need}"


@pytest.mark.parametrize("name", LOCKS[1:])
def test_locks_agree_where_they_overlap(name: str) -> None:
    core, other = pins("lock"), pins(name)
    assert set(core) <= set(other)
    differing = {package for package in core if not versions(core[package]) <= versions(other[package])}
    assert differing == set()


def test_checks_call_the_one_test_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "python3 tasks.py test"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert workflow["jobs"]["test"]["steps"][-1] == {"run": "python3 tasks.py test"}


# ---- conditions -----------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what an installation reads."""
    for name in ("tasks.py", "installation.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def command(clone: Path, patch: str, arguments: tuple[str, ...]) -> list[str]:
    code = f"import sys; sys.path.insert(0, {str(clone)!r}); import installation, tasks\n"
    return [sys.executable, "-B", "-c", f"{code}{patch}\nsys.exit(tasks.main({list(arguments)!r}))"]


def start(clone: Path, *arguments: str, patch: str = "", **variables: str) -> subprocess.CompletedProcess:
    """`tasks.py ARGUMENTS` in a process of its own, after `patch` has faked a condition."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        command(clone, patch, arguments), cwd=clone, env=environment, capture_output=True, text=True, timeout=300
    )


CONDITIONS = {
    "old Python": ("sys.version_info = (3, 10, 4)", "figures", "this is Python 3.10, but 3.11 to 3.14 is needed"),
    "no venv": ("installation.importlib.util.find_spec = lambda name: None", "figures", "no venv and no ensurepip"),
    "disk": (
        "installation.shutil.disk_usage = lambda path: type('Usage', (), {'free': 3 * 10**9})",
        "test",
        "3.0 GB free on the disk of",
    ),
    "no write access": (
        "def refuse(**where): raise PermissionError(13, 'Permission denied')\n"
        "installation.tempfile.TemporaryFile = refuse",
        "figures",
        "(Permission denied)",
    ),
    "unknown verb": ("", "figurs", "unknown verb 'figurs' (did you mean figures?)"),
    "no verb": ("", "", "a verb is missing"),
    "no address": ("", "lab --torch-index", "--torch-index needs the address"),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_bad_conditions_end_in_one_line(clone: Path, condition: str) -> None:
    patch, arguments, words = CONDITIONS[condition]
    before = sorted(clone.rglob("*"))
    done = start(clone, *arguments.split(), patch=patch)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(clone.rglob("*")) == before


def test_an_old_python_can_read_the_files() -> None:
    for name in ("tasks.py", "installation.py"):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 6))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                notes = [argument.annotation for argument in node.args.args] + [node.returns]
                assert all(note is None or isinstance(note, ast.Name | ast.Attribute | ast.Constant) for note in notes)


def test_another_environment_is_left_alone(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / "precious").write_text("mine")
    done = start(clone, "figures")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "not made by tasks.py" in done.stderr
    assert (clone / ".venv" / "precious").read_text() == "mine"


def test_no_network_names_the_package_and_leaves_nothing(clone: Path) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(clone / "requirements"), "PIP_CONFIG_FILE": os.devnull}
    done = start(clone, "figures", **offline)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "could not install torch==2.13.0" in done.stderr
    assert "check the network" in done.stderr
    assert not list(clone.glob(".venv*"))


# ---- interrupted installations --------------------------------------------------------------------------------

PRETEND = """
import os, pathlib, subprocess
def pretend(command, lock=0):
    words = " ".join(command)
    print("CALL " + words, flush=True)
    if "-m venv" in words:
        pathlib.Path(command[-1], "bin").mkdir()
        pathlib.Path(command[-1], "bin", "python").symlink_to(sys.executable)
    if os.environ.get("KILL_AT", "never") in words:
        os._exit(9)
    failed = os.environ.get("FAIL_AT", "never") in words
    return subprocess.CompletedProcess(command, int(failed), "2.13.0+cpu None")
installation.call = pretend
tasks.run_verb = lambda verb, rest, python: print("RUN", verb, *rest) or 0
"""


def calls(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.startswith("CALL")]


@pytest.mark.parametrize("step", ["-m venv", "torch==2.13.0", "lock.txt", "--no-build-isolation", "import torch"])
def test_a_killed_installation_is_made_anew(clone: Path, step: str) -> None:
    killed = start(clone, "figures", patch=PRETEND, KILL_AT=step)
    assert killed.returncode == 9
    again = start(clone, "figures", "--profile", "smoke", patch=PRETEND)
    assert again.returncode == 0, again.stderr
    assert "removing an incomplete .venv" in again.stdout
    for part in ("-m venv", "torch==2.13.0", "lock.txt", "--no-build-isolation", "import torch"):
        assert any(part in call for call in calls(again))
    assert again.stdout.splitlines()[-1] == "RUN figures --profile smoke"
    third = start(clone, "figures", patch=PRETEND)
    assert (third.returncode, third.stdout) == (0, "RUN figures\n")


def test_torch_comes_first_and_alone(clone: Path) -> None:
    done = start(clone, "test", patch=PRETEND)
    order = [
        next(i for i, call in enumerate(calls(done)) if part in call) for part in ("torch==", "lock.txt", "test.txt")
    ]
    assert order == sorted(order)
    assert "--no-deps torch==2.13.0" in calls(done)[order[0]]


def test_a_changed_lock_is_installed_into_the_same_environment(clone: Path) -> None:
    start(clone, "figures", patch=PRETEND)
    with open(clone / "requirements" / "lock.txt", "a") as lock:
        lock.write("six==1.16.0\n")
    done = start(clone, "figures", patch=PRETEND)
    assert any("lock.txt" in call for call in calls(done))
    assert not any("-m venv" in call for call in calls(done))
    assert calls(start(clone, "figures", patch=PRETEND)) == []


def test_a_failed_addition_keeps_what_works(clone: Path) -> None:
    start(clone, "figures", patch=PRETEND)
    failed = start(clone, "test", patch=PRETEND, FAIL_AT="test.txt")
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert "could not install requirements/test.txt" in failed.stderr
    assert start(clone, "figures", patch=PRETEND).stdout == "RUN figures\n"
    assert json.loads((clone / ".venv" / "tasks.json").read_text())["running"] == ""


ONLY_CUDA = """
import json
OFFER = {"install": [{"metadata": {"requires_dist": ["filelock", "nvidia-nccl-cu13==2.29.7"]}}]}
def offer(command, lock=0):
    if "--report" in command:
        pathlib.Path(command[command.index("--report") + 1]).write_text(json.dumps(OFFER))
    return pretend(command, lock)
installation.call = offer
installation.sys.platform = "linux"
"""


def test_a_cuda_build_is_refused_before_it_is_fetched(clone: Path) -> None:
    done = start(clone, "figures", patch=PRETEND + ONLY_CUDA, FAIL_AT="--index-url")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "only the CUDA build of torch==2.13.0" in done.stderr
    assert "--dry-run" in calls(done)[-1]
    assert not (clone / ".venv").exists()


def test_two_starts_do_not_install_at_once(clone: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with open(clone / "installation.py", "rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        second = subprocess.Popen(
            command(clone, PRETEND, ("figures",)), cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert second.stdout is not None
        assert "waiting for another installation" in second.stdout.readline()
        assert not (clone / ".venv").exists()
        fcntl.flock(handle, fcntl.LOCK_UN)
        output, errors = second.communicate(timeout=60)
    assert (second.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == "RUN figures"


# ---- the test verb --------------------------------------------------------------------------------------------


def run_tests_with(codes: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """Tools in the order they are started, and the exit code, when each tool ends with its code."""
    started: list[str] = []

    def ends(command: list[str], **_: object) -> int:
        started.append(command[2])
        return codes.get(command[2], 0)

    monkeypatch.setattr(tasks.subprocess, "call", ends)
    monkeypatch.setattr(tasks, "become", ends)
    return started, tasks.run_tests([], "python")


@pytest.mark.parametrize("broken", [{}, {"ruff": 1}, {"mypy": 1}, {"pytest": 5}, {"ruff": 1, "pytest": 5}])
def test_pytest_comes_last_whatever_fails(broken: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    started, code = run_tests_with(broken, monkeypatch)
    assert started == ["ruff", "ruff", "mypy", "pytest"]
    assert (code == 0) == (not broken)


def test_processes_see_only_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    variables = installation.clean_variables()
    assert "PYTHONPATH" not in variables
    assert variables["PATH"].split(os.pathsep)[0] == os.path.dirname(installation.environment_python())
