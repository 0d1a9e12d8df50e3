"""Reading results: the tidy score table, stacked curves, and what is there."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from replication.orchestration import plan, project
from replication.orchestration.plan import Experiment
from replication.orchestration.results import Stored, key_of
from replication.orchestration.store import Store
from replication.settings import Profile

if TYPE_CHECKING:
    import pandas as pd


class Noted(dict):
    """Facts beside a table. pandas copies them deeply with every slice; these are shared instead: never change them."""

    def __deepcopy__(self, memo: dict) -> "Noted":
        return self


FIXED = ("experiment", "arm", "seed", "metric", "value", "key")


def open_store(runs: str | Path = "runs", figures: str | Path = "figures") -> Store:
    """The store of two folders; relative ones start at the project."""
    return Store(project.runs_folder(runs), project.figures_folder(figures))


def stored(experiment: Experiment, profile: Profile, store: Store, seeds: int = 0) -> dict[str, list[Stored]]:
    """Arm -> its finished results, block by block; the full profile reads only committed copies."""
    found: dict[str, list[Stored]] = {}
    for spec in plan.specs(experiment, profile, seeds):
        result = store.find(spec, committed_only=profile == "full")
        found.setdefault(spec.arm, []).extend([result] if result else [])
    return found


def score_table(experiments: Iterable[Experiment], profile: Profile, store: Store, seeds: int = 0) -> "pd.DataFrame":
    """Tidy table of everything finished.

    Returns:
        Columns `experiment, arm, <settings that differ within an experiment>, seed, metric, value, key`,
        one row per arm, seed and metric. `attrs` holds "wall_seconds" (computing time behind it), "commits"
        (of the source at those times) and "rules" (key -> rule digests noted when the run started).
    """
    import pandas as pd  # seconds to import: workers do without

    rows: list[dict[str, Any]] = []
    results: dict[str, Stored] = {}
    names: list[str] = []
    for experiment in experiments:
        differing = {label: _columns(row) for label, row in plan.varying(experiment, profile).items()}
        names = list(dict.fromkeys([*names, *(name for row in differing.values() for name in row)]))
        for arm, blocks in stored(experiment, profile, store, seeds).items():
            for result in blocks:
                key = key_of(result.settings)
                results[key] = result
                head = {"experiment": experiment.name, "arm": arm, **differing[arm]}
                rows += [
                    {**head, "seed": seed, "metric": metric, "value": value, "key": key}
                    for seed, metric, value in result.scores
                ]
    table = pd.DataFrame(rows, columns=["experiment", "arm", *names, "seed", "metric", "value", "key"])
    environments = [result.environment() for result in results.values()]
    table.attrs["wall_seconds"] = round(sum(float(one.get("wall_seconds", 0.0)) for one in environments), 1)
    table.attrs["commits"] = sorted({str(one.get("commit", "unknown")) for one in environments})
    table.attrs["rules"] = Noted({key: result.settings.get("rules_digest", {}) for key, result in results.items()})
    return table


def load_curves(
    experiment: Experiment,
    profile: Profile,
    *,
    runs: str | Path = "runs",
    figures: str | Path = "figures",
    seeds: int = 0,
) -> dict[str, dict[str, np.ndarray]]:
    """Arm -> {curve: array with all seeds stacked}; an arm without a finished run is left out.

    "_seeds" holds the (S,) seeds in the order of the first axis; other "_" curves are shared by all seeds.
    """
    found = stored(experiment, profile, open_store(runs, figures), seeds)
    return {arm: _stack(results) for arm, results in found.items() if results}


def _stack(results: list[Stored]) -> dict[str, np.ndarray]:
    curves = [result.curves() for result in results]
    stacked = {
        name: first if name.startswith("_") else np.concatenate([block[name] for block in curves])
        for name, first in curves[0].items()
        if all(name in block for block in curves)  # a block whose solver never converged may lack one
    }
    stacked["_seeds"] = np.concatenate([result.settings["seeds"] for result in results])
    return stacked


def _columns(settings: dict[str, Any]) -> dict[str, Any]:
    """Table columns of an arm's settings: no name clashes, no unhashable values."""
    return {
        (f"setting.{name}" if name in FIXED else name): (repr(value) if isinstance(value, list | dict) else value)
        for name, value in settings.items()
    }
