"""One run, in whatever process: lock, resume, compute, commit."""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from replication.orchestration import checkpoint, discovery, files, provenance, results
from replication.orchestration.lock import Lock
from replication.orchestration.plan import Result, RunSpec
from replication.settings import BadInput

Status = Literal["finished", "busy", "later", "failed"]


class BudgetSpent(Exception):
    """Raised out of `checkpoint` after saving when the time budget is over."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt at a run ended.

    Attributes:
        status: finished; busy (another process has it); later (budget spent); failed.
        seconds: wall seconds of the run so far, earlier attempts included.
        resumed_at: step of the checkpoint it went on from, or None.
        error: "Type: message" of a failure.
        log: file with the traceback.
    """

    status: Status
    seconds: float = 0.0
    resumed_at: int | None = None
    error: str = ""
    log: str = ""


def checkpoint_interval() -> float:
    """Seconds between checkpoints; the variable REPLICATION_CHECKPOINT_SECONDS changes it."""
    return float(os.environ.get("REPLICATION_CHECKPOINT_SECONDS", "30"))


class StoredRun:
    """The `Run` an experiment function gets; everything it says goes to one folder."""

    def __init__(self, folder: Path, lock: Lock, deadline: float | None = None) -> None:
        self._folder, self._lock, self._deadline = folder, lock, deadline
        self._path = folder / "checkpoint.safetensors"
        self._interval = checkpoint_interval()
        self._metrics: Any = None
        self._earlier = 0.0
        self._started = self._saved = self._told = time.monotonic()
        self.resumed_at: int | None = None

    @property
    def seconds(self) -> float:
        """Wall seconds so far, those before the checkpoint included."""
        return self._earlier + time.monotonic() - self._started

    def log(self, step: int, **numbers: float) -> None:
        """Append one line of metrics."""
        values = {name: float(value) for name, value in numbers.items()}
        self._open_metrics(0).write(json.dumps({"step": int(step), **values}) + "\n")

    def checkpoint(self, step: int, make_state: Callable[[], dict]) -> None:
        """Save if the interval is over, or the budget; in the latter case stop by `BudgetSpent`."""
        over = self._deadline is not None and time.time() > self._deadline
        if not over and time.monotonic() - self._saved < self._interval:
            return
        self._lock.require()
        lines = self._open_metrics(0)
        lines.flush()
        checkpoint.save(self._path, make_state(), step=int(step), seconds=self.seconds, metrics=lines.tell())
        self._saved = time.monotonic()
        if over:
            raise BudgetSpent

    def restore(self) -> dict | None:
        """The latest saved state; metrics logged after it are dropped, since they will be logged again."""
        found = checkpoint.load(self._path)
        if found is None:
            return None
        state, facts = found
        self._open_metrics(int(facts["metrics"]))
        self._earlier, self.resumed_at = float(facts["seconds"]), int(facts["step"])
        return state

    def progress(self, fraction: float) -> None:
        """Write down how far the run is, at most every two seconds."""
        if time.monotonic() - self._told > 2.0:
            self._told = time.monotonic()
            files.write_json(self._folder / "progress.json", {"fraction": float(fraction)})

    def close(self) -> None:
        """Close the metrics file."""
        if self._metrics is not None:
            self._metrics.close()

    def _open_metrics(self, size: int) -> Any:
        if self._metrics is None:
            path = self._folder / "metrics.jsonl"
            if path.exists():
                os.truncate(path, min(size, path.stat().st_size))
            self._metrics = open(path, "a")  # noqa: SIM115 - open for as long as the run
        return self._metrics


def execute(folder: str, deadline: float | None = None) -> Outcome:
    """Compute the run whose settings lie in `folder`, or go on with it.

    Args:
        folder: run folder with a settings.json.
        deadline: seconds since the epoch after which the run saves and stops at its next checkpoint.

    Returns:
        How it ended; an exception of the experiment is written to error.txt and reported, never raised.
    """
    path = Path(folder)
    if deadline is not None and time.time() > deadline:
        return Outcome("later")
    lock = Lock(path / "lock")
    if not lock.acquire():
        return Outcome("busy")
    run = StoredRun(path, lock, deadline)
    try:
        return _compute(path, run, lock)
    except BudgetSpent:
        return Outcome("later", run.seconds, run.resumed_at)
    except Exception as error:
        (path / "error.txt").write_text(traceback.format_exc())
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        return Outcome("failed", run.seconds, run.resumed_at, message, str(path / "error.txt"))
    finally:
        run.close()
        lock.release()


def _compute(folder: Path, run: StoredRun, lock: Lock) -> Outcome:
    files.remove_torn(folder)
    spec = results.spec_of(files.read_json(folder / "settings.json"))
    if (folder / "done.json").exists():
        if not results.problems(folder, spec.key):
            return Outcome("finished", results.read(folder).environment().get("wall_seconds", 0.0))
        results.wipe(folder)
    if not (folder / "checkpoint.safetensors").exists():
        files.write_json(folder / "settings.json", {**results.card(spec), **origin(spec.paper)})
    result = _call(spec, run)
    lock.require()
    results.finish(folder, spec, result, environment(spec, run.seconds))
    return Outcome("finished", run.seconds, run.resumed_at)


def _call(spec: RunSpec, run: StoredRun) -> Result:
    (experiment,) = discovery.experiments(spec.paper, spec.experiment)
    if experiment.version != spec.version:
        raise BadInput(
            f"{spec.paper}/{spec.experiment} is version {experiment.version} in this process, the run asks for "
            f"{spec.version}; start workers and driver from the same source"
        )
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return experiment.function(experiment.settings_class.load(spec.settings), spec.seeds, run)


def origin(paper: str) -> dict[str, Any]:
    """What a run notes when it starts: the rules it will be judged by, and its source."""
    return {"rules_digest": discovery.rules_digest(paper), "source_digest": provenance.source_digest(paper)}


def environment(spec: RunSpec, seconds: float) -> dict[str, Any]:
    """What env.json says: versions, commit, threads, wall seconds and, where a cost is known, seconds per unit."""
    rate = seconds / spec.cost if spec.cost else None
    return {
        "packages": provenance.packages(),
        "commit": provenance.commit(),
        "threads": provenance.threads(),
        "wall_seconds": round(seconds, 3),
        "seconds_per_unit": rate,
    }
