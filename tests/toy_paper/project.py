"""Helpers of the tests that drive the toy paper, in this process or in others."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PAPER = f"toy:{HERE / 'experiments.py'}"


def variables(**more: str) -> dict[str, str]:
    """Environment of a process that knows the toy paper and saves at every step."""
    known = {
        "REPLICATION_EXTRA_PAPERS": PAPER,
        "REPLICATION_CHECKPOINT_SECONDS": "0",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "ignore",
    }
    return {**os.environ, **known, **more}


STARTED: list[subprocess.Popen] = []  # by the test that runs now


def start(*words: str, **more: str) -> subprocess.Popen:
    """Start `python -m replication WORDS` with the toy paper; its output is collected."""
    return python("-m", "replication", *words, **more)


def python(*words: str, **more: str) -> subprocess.Popen:
    """Start Python with the toy paper's environment."""
    process = subprocess.Popen(
        [sys.executable, *words],
        env=variables(**more),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    STARTED.append(process)
    return process


def end() -> None:
    """Wait for the processes a test started, killing what still runs, and close their output."""
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.wait()
        process.stdout.close()


def eventually(happened: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until something has happened; fail the test when it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        time.sleep(0.02)


def steps(trace: Path) -> list[tuple[int, int, int]]:
    """(process, first seed, step) of every step the toy walk computed."""
    if not trace.exists():
        return []
    return [tuple(int(word) for word in line.split()) for line in trace.read_text().splitlines()]


def clock_of_steps(monkeypatch, trace: Path) -> None:
    """Let the clock go on by one second per computed step, so that budgets do not depend on the machine."""
    monkeypatch.setenv("TOY_TRACE", str(trace))
    monkeypatch.setattr("time.time", lambda: 1000.0 + len(steps(trace)))


def family(process: subprocess.Popen) -> list[psutil.Process]:
    """A process and all its descendants."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run."""
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def finished_files(runs: Path) -> dict[str, bytes]:
    """Run folder and file name -> content of the files that carry results."""
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in _results(runs)}


def _results(runs: Path) -> Iterator[Path]:
    for name in ("scores.csv", "curves.npz", "metrics.jsonl", "policy.safetensors"):
        yield from sorted(runs.glob(f"*/*/{name}"))


README = "# Toy\n\n<!-- generated:verdicts -->\n<!-- end -->\n\nThe end.\n"


def make(folder: Path) -> Path:
    """A project with the toy's notebook and a README; set REPLICATION_PROJECT to use it."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "notebooks" / "01_toy.py").write_text((HERE / "notebook.py").read_text())
    (folder / "README.md").write_text(README)
    return folder
