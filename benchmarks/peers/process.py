"""Contestants that need another Python environment: a process of that interpreter works when asked, else it waits."""

import os
import subprocess
import weakref
from pathlib import Path

from benchmarks.contest import Run

FOLDER = Path(__file__).resolve().parent
INTERPRETER = "REPLICATION_PEER_PYTHON"


def work_elsewhere(script: str, *arguments: str, count: int) -> Run:
    """A function that has `script` of this folder do `count` units of work in the other environment.

    The process says "ready", then reads a number per line and answers "done" when that much is done; between the lines
    it sleeps. It ends with the function.

    Raises:
        ImportError: no interpreter is named, or its environment lacks the package.
        RuntimeError: the process failed.
    """
    interpreter = os.environ.get(INTERPRETER)
    if not interpreter:
        raise ImportError(f"{INTERPRETER} names no interpreter, see benchmarks/README.md")
    command = [interpreter, "-I", str(FOLDER / script), *arguments]  # -I: nothing of this environment leaks into it
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        process = subprocess.Popen(command, text=True, **pipes)
    except OSError as error:
        raise ImportError(f"{INTERPRETER}={interpreter} cannot be started ({error.strerror})") from error

    def run() -> int:
        process.stdin.write(f"{count}\n")
        process.stdin.flush()
        _expect(process, "done")
        return count

    weakref.finalize(run, process.communicate)  # closes its input, at which it ends
    _expect(process, "ready")
    return run


def _expect(process: subprocess.Popen, word: str) -> None:
    answer = process.stdout.readline().strip()
    if answer.startswith("missing: "):
        raise ImportError(answer.removeprefix("missing: "))
    if answer != word:
        raise RuntimeError(f"the other environment's process failed: {answer or 'it ended without a word'}")
