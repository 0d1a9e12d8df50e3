"""What the missing runs will cost, from the measured rates of finished ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from replication.orchestration import files, plan
from replication.orchestration.plan import Experiment
from replication.orchestration.store import Store
from replication.settings import Profile


@dataclass(frozen=True)
class Estimate:
    """One experiment's outstanding work.

    Attributes:
        paper: paper.
        experiment: experiment.
        runs: runs of the profile.
        missing: those that are not finished.
        seeds: seeds in the missing runs.
        seconds: expected wall seconds of the missing runs one after the other; None when nothing like it
            was ever measured.
        basis: where the rate comes from.
    """

    paper: str
    experiment: str
    runs: int
    missing: int
    seeds: int
    seconds: float | None
    basis: str


def estimates(experiments: Iterable[Experiment], profile: Profile, store: Store, seeds: int = 0) -> list[Estimate]:
    """One estimate per experiment; a run that several experiments share counts for the first one."""
    found: list[Estimate] = []
    counted: set[str] = set()
    for experiment in experiments:
        specs = [spec for spec in plan.specs(experiment, profile, seeds) if spec.key not in counted]
        counted |= {spec.key for spec in specs}
        missing = [spec for spec in specs if store.find(spec) is None]
        work = [spec.cost if spec.cost is not None else float(len(spec.seeds)) for spec in missing]
        rate, basis = measured_rate(experiment, store)
        seconds = 0.0 if not missing else None if rate is None else rate * sum(work)
        found.append(
            Estimate(
                experiment.paper,
                experiment.name,
                len(specs),
                len(missing),
                sum(len(spec.seeds) for spec in missing),
                seconds,
                basis,
            )
        )
    return found


def measured_rate(experiment: Experiment, store: Store) -> tuple[float | None, str]:
    """(seconds per unit of work, where that comes from) over all finished runs of the experiment's function.

    The unit is that of the experiment's `cost`, a seed without one. Large runs weigh most.
    """
    seconds, work, count = 0.0, 0.0, 0
    for settings, environment in _finished(experiment.paper, store):
        if settings.get("function") != experiment.function.__qualname__ or "wall_seconds" not in environment:
            continue
        cost = settings.get("cost") if experiment.cost else len(settings["seeds"])
        if cost:
            seconds, work, count = seconds + environment["wall_seconds"], work + cost, count + 1
    if not work:
        return None, "unknown: no finished run to measure from"
    rough = "" if experiment.cost else "roughly, per seed whatever the settings: "
    return seconds / work, f"{rough}measured on {count} finished run(s)"


def _finished(paper: str, store: Store) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
    for folder in [*(store.runs / paper).glob("*/"), *(store.figures / paper / "results").glob("*/")]:
        settings = files.read_json(folder / "settings.json")
        if settings and (folder / "done.json").is_file():
            yield settings, files.read_json(folder / "env.json") or settings.get("environment", {})
