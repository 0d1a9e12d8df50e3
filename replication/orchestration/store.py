"""The run store: one folder per run, finished when its digests are written and agree.

runs/<paper>/<readable name>-<key>/
    settings.json  metrics.jsonl  checkpoint.safetensors  lock        while it runs
    scores.csv  curves.npz  policy.safetensors  env.json  done.json   when finished, done.json last
figures/<paper>/results/<key>/
    scores.csv  curves.npz (thinned)  settings.json  done.json        the committed copy of a full run
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from replication.orchestration import checkpoint, files, lock
from replication.orchestration.plan import Result, RunSpec
from replication.settings import digest

State = Literal["finished", "half", "missing"]
RESULT_FILES = ("scores.csv", "curves.npz", "policy.safetensors", "policy.json", "env.json", "settings.json")


@dataclass(frozen=True)
class Stored:
    """A finished result as it lies on disk.

    Attributes:
        folder: where it lies.
        settings: content of settings.json (settings, seeds, rules and source digests, wall seconds if committed).
        scores: (seed, metric, value) rows.
        digest: SHA-256 over the digests of its scores and curves.
    """

    folder: Path
    settings: dict[str, Any]
    scores: list[tuple[int, str, float]]
    digest: str

    def curves(self) -> dict[str, np.ndarray]:
        """Name -> array; the first axis is the seed unless the name starts with "_"."""
        return files.read_npz(self.folder / "curves.npz")

    def environment(self) -> dict[str, Any]:
        """Package versions, commit, threads, wall seconds and cost."""
        beside = files.read_json(self.folder / "env.json")
        return beside if beside else self.settings.get("environment", {})


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


def card(spec: RunSpec) -> dict[str, Any]:
    """What settings.json says of a run before it starts."""
    return {
        "paper": spec.paper,
        "experiment": spec.experiment,
        "version": spec.version,
        "arm": spec.arm,
        "settings": spec.settings,
        "seeds": list(spec.seeds),
        "data": spec.data,
        "function": spec.function,
        "cost": spec.cost,
    }


def spec_of(settings: dict[str, Any]) -> RunSpec:
    """The run that a settings.json describes."""
    names = ("paper", "experiment", "version", "arm", "settings", "data", "function", "cost")
    return RunSpec(**{name: settings[name] for name in names}, seeds=tuple(settings["seeds"]))


def key_of(settings: dict[str, Any]) -> str:
    """The key of the run that a settings.json describes; "" when it does not describe one."""
    try:
        return spec_of(settings).key
    except (KeyError, TypeError, ValueError):
        return ""


def problems(folder: Path, key: str | None = None) -> list[str]:
    """What is wrong with a result that claims to be finished; nothing for a sound or unfinished one.

    Args:
        folder: a run folder or the folder of a committed result.
        key: the key it should have; by default the one its settings give.
    """
    if not (folder / "done.json").exists():
        return []
    done = files.read_json(folder / "done.json")
    if not isinstance(done, dict) or not isinstance(done.get("sha256"), dict):
        return ["done.json cannot be read"]
    found = [problem for name, expected in done["sha256"].items() if (problem := _problem(folder / name, expected))]
    settings = files.read_json(folder / "settings.json")
    if not found and not {"scores.csv", "curves.npz", "settings.json"} <= set(done["sha256"]):
        found.append("done.json does not list scores.csv, curves.npz and settings.json")
    if not found and (done.get("key") != key_of(settings) or (key and done.get("key") != key)):
        found.append("settings.json describes another run")
    return found


def read(folder: Path) -> Stored:
    """A finished result, without checking its digests."""
    shas = files.read_json(folder / "done.json")["sha256"]
    return Stored(
        folder,
        files.read_json(folder / "settings.json"),
        files.read_scores(folder / "scores.csv"),
        digest([shas["scores.csv"], shas["curves.npz"]]),
    )


def finish(folder: Path, spec: RunSpec, result: Result, environment: dict[str, Any]) -> None:
    """Write a result; done.json comes last and makes it count, then the checkpoint goes."""
    contents = {
        "scores.csv": files.scores_bytes(spec.seeds, checked(result, spec).scores),
        "curves.npz": files.npz_bytes(result.curves),
        "env.json": (json.dumps(environment, indent=1) + "\n").encode(),
        "settings.json": (folder / "settings.json").read_bytes(),
    }
    if result.policy is not None:
        from safetensors.numpy import save

        arrays = {name: np.array(array, order="C") for name, array in result.policy.items()}
        contents["policy.safetensors"] = save(arrays)
        contents["policy.json"] = (json.dumps(result.policy_card or {}, indent=1) + "\n").encode()
    commit(folder, spec.key, contents)
    for name in ("checkpoint.safetensors", "progress.json", "error.txt"):
        (folder / name).unlink(missing_ok=True)


def commit(folder: Path, key: str, contents: dict[str, bytes]) -> None:
    """Write the files of a result and, last, done.json with their digests."""
    for name, content in contents.items():
        files.write_bytes(folder / name, content)
    shas = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    files.write_json(folder / "done.json", {"key": key, "sha256": shas})


def wipe(folder: Path) -> None:
    """Take back a damaged result so that the run starts afresh; its settings stay."""
    for name in ("done.json", "checkpoint.safetensors", "metrics.jsonl", *RESULT_FILES[:-1]):
        (folder / name).unlink(missing_ok=True)


def load_policy(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, card) of the policy kept in a run folder."""
    from safetensors.numpy import load_file

    return load_file(folder / "policy.safetensors"), files.read_json(folder / "policy.json")


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The logged lines of a run; a torn last line is skipped."""
    path = folder / "metrics.jsonl"
    rows = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def progress(folder: Path) -> dict[str, Any]:
    """What an unfinished run last said: fraction done, step and seconds of its checkpoint, whether it runs now."""
    facts = checkpoint.facts(folder / "checkpoint.safetensors")
    said = files.read_json(folder / "progress.json") or {}
    return {**said, **facts, "running": lock.is_held(folder / "lock")}


def checked(result: Result, spec: RunSpec) -> Result:
    """Raise ValueError unless scores and curves have one entry per seed; returns the result."""
    count = len(spec.seeds)
    if not result.scores:
        raise ValueError(f"experiment {spec.experiment!r} returned no scores")
    for name, values in result.scores.items():
        if np.shape(values) != (count,):
            raise ValueError(f"score {name!r} must have shape ({count},), one per seed, got {np.shape(values)}")
    for name, values in result.curves.items():
        if not name.startswith("_") and np.shape(values)[:1] != (count,):
            raise ValueError(f"curve {name!r} must start with {count} seeds, got shape {np.shape(values)}")
    return result


def _problem(path: Path, expected: str) -> str:
    if not path.is_file():
        return f"{path.name} is missing"
    return "" if files.sha256(path) == expected else f"{path.name} does not match its digest"
