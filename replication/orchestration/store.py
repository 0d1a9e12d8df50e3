"""The run store: one folder per run, finished when its digests are written and agree.

runs/<paper>/<readable name>-<key>/
    settings.json  metrics.jsonl  checkpoint.safetensors  lock        while it runs
    scores.csv  curves.npz  policy.safetensors  env.json  done.json   when finished, done.json last
figures/<paper>/results/<key>/
    scores.csv  curves.npz (thinned)  settings.json  done.json        the committed copy of a full run
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from replication.orchestration import checkpoint, files, lock
from replication.orchestration.plan import RunSpec
from replication.orchestration.results import Stored, card, commit, key_of, problems, read

State = Literal["finished", "half", "missing"]


@dataclass(frozen=True)
class Store:
    """Runs below `runs`, committed results below `figures`."""

    runs: Path
    figures: Path

    def folder(self, spec: RunSpec) -> Path:
        """The run's folder; an arm that was renamed keeps its old one."""
        plain = self.runs / spec.paper / f"{spec.name}-{spec.key}"
        if plain.is_dir():
            return plain
        return next(iter(sorted((self.runs / spec.paper).glob(f"*-{spec.key}"))), plain)

    def committed(self, spec: RunSpec) -> Path:
        """Where the committed copy of the run's result lies or would lie."""
        return self.figures / spec.paper / "results" / spec.key

    def find(self, spec: RunSpec, committed_only: bool = False) -> Stored | None:
        """The finished result, from the run folder or the committed copy; None when neither is sound."""
        for folder in ([] if committed_only else [self.folder(spec)]) + [self.committed(spec)]:
            if (folder / "done.json").is_file() and not problems(folder, spec.key):
                return read(folder)
        return None

    def state(self, spec: RunSpec) -> State:
        """finished, half (started, to be resumed) or missing."""
        if self.find(spec):
            return "finished"
        folder = self.folder(spec)
        started = any((folder / name).exists() for name in ("checkpoint.safetensors", "metrics.jsonl", "lock"))
        return "half" if started else "missing"

    def damage(self, spec: RunSpec) -> list[tuple[Path, str]]:
        """(folder, what is wrong) for results of this run that claim to be finished but are not as written."""
        found = []
        for folder in (self.folder(spec), self.committed(spec)):
            found += [(folder, problem) for problem in problems(folder, spec.key)]
        return found

    def prepare(self, spec: RunSpec) -> Path:
        """Make the run's folder with its settings, so that a task needs only the folder."""
        folder = self.folder(spec)
        folder.mkdir(parents=True, exist_ok=True)
        known = files.read_json(folder / "settings.json") or {}
        if key_of(known) != spec.key:
            known = {}
        if {**known, **card(spec)} != known:  # an experiment that shares the run may have another name for it
            files.write_json(folder / "settings.json", {**known, **card(spec)})
        return folder

    def export(self, spec: RunSpec) -> Path | None:
        """Copy the finished run into the committed results; None when there is nothing to do."""
        source, target = self.folder(spec), self.committed(spec)
        if (target / "done.json").is_file() and not problems(target, spec.key):
            return None
        if not (source / "done.json").is_file() or problems(source, spec.key):
            return None
        stored = read(source)
        target.mkdir(parents=True, exist_ok=True)
        files.remove_torn(target)
        (target / "done.json").unlink(missing_ok=True)
        described = {**stored.settings, "environment": stored.environment()}
        commit(
            target,
            spec.key,
            {
                "scores.csv": (source / "scores.csv").read_bytes(),
                "curves.npz": files.npz_bytes(files.thinned(stored.curves())),
                "settings.json": (json.dumps(described, indent=1) + "\n").encode(),
            },
        )
        return target

    def remove_leftovers(self, spec: RunSpec) -> None:
        """Delete the folder of a run that was prepared but never started."""
        folder = self.folder(spec)
        if folder.is_dir() and {path.name for path in folder.iterdir()} <= {"settings.json"}:
            shutil.rmtree(folder)


def progress(folder: Path) -> dict[str, Any]:
    """What an unfinished run last said: fraction done, step and seconds of its checkpoint, whether it runs now."""
    facts = checkpoint.facts(folder / "checkpoint.safetensors")
    said = files.read_json(folder / "progress.json") or {}
    return {**said, **facts, "running": lock.is_held(folder / "lock")}
