"""A run's result as files: written last, sealed by digests, checked before it counts."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from replication.orchestration import files
from replication.orchestration.plan import Result, RunSpec
from replication.settings import digest

FILES = ("scores.csv", "curves.npz", "policy.safetensors", "policy.json", "env.json", "settings.json")


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
    for name in ("done.json", "checkpoint.safetensors", "metrics.jsonl", *FILES[:-1]):
        (folder / name).unlink(missing_ok=True)


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
