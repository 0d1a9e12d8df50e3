"""The verbs that only need runs: run, plan and status, and the two halves of figures (train, draw)."""

import json
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from replication.orchestration import clusters, costs, discovery, plan, project, scheduler, store, table
from replication.orchestration.plan import Experiment
from replication.orchestration.progress import duration
from replication.orchestration.scheduler import RunsFailed
from replication.settings import BadInput, Profile, choose


def say(text: str) -> None:
    """Print at once, so that lines of several processes keep their order."""
    print(text, flush=True)


def run(options: Namespace) -> int:
    """Compute what is missing; stops cleanly when the budget is spent."""
    profile = profile_or(options, "quick")
    wanted = _experiments(options)
    scheduler.ensure(wanted, profile, budget=options.budget, **places(options), cluster=options.cluster)
    left = sum(estimate.missing for estimate in _estimates(options, profile, wanted))
    say(f"{profile}: every run is finished" if left == 0 else f"{profile}: {left} run(s) left")
    return 0


def plan_runs(options: Namespace) -> int:
    """What is missing and what it will cost, from measured rates."""
    profile = profile_or(options, "full")
    found = _estimates(options, profile, _experiments(options))
    if options.json:
        print(json.dumps([asdict(estimate) for estimate in found], indent=1))
        return 0
    for one in found:
        cost = one.basis if one.seconds is None else f"{one.seconds:.1f} s ({one.basis})" if one.missing else "0 s"
        say(f"{one.paper}/{one.experiment}: {one.missing} of {one.runs} runs missing, {one.seeds} seeds, {cost}")
    known = sum(one.seconds for one in found if one.seconds is not None)
    unknown = sum(one.missing for one in found if one.seconds is None)
    workers = clusters.cores()
    text = f"{profile}: {known:.0f} s of computing, {duration(known / workers)} on {workers} core(s)"
    say(text + (f", and {unknown} run(s) of unknown cost" if unknown else ""))
    return 0


def status(options: Namespace) -> int:
    """Which runs are finished, begun and missing."""
    profile = profile_or(options, "full")
    place = table.open_store(options.runs, options.figures)
    found: dict[str, dict[str, Any]] = {}
    for experiment in _experiments(options):
        specs = plan.specs(experiment, profile, options.seeds)
        found.setdefault(experiment.paper, {})[experiment.name] = _counts(specs, place)
    if options.json:
        print(json.dumps({"profile": profile, "papers": found}, indent=1))
        return 0
    for paper, rows in found.items():
        for name, row in rows.items():
            say(f"{paper}/{name}: {row['finished']} finished, {row['half']} begun, {row['missing']} missing")
    return 0


def train(options: Namespace, profile: Profile, papers: Iterable[str]) -> int:
    """All missing runs of the papers in one sweep; 1 when some failed."""
    found = experiments_of(papers)
    if not found:
        return 0
    say(f"{profile} profile: looking for missing runs")
    try:
        scheduler.ensure(found, profile, budget=options.budget, **places(options), cluster=options.cluster)
    except RunsFailed as error:
        say(str(error))
        return 1
    return 0


def draw(options: Namespace, profile: Profile, chosen: dict[str, Path], target: Callable[[Path], Path]) -> int:
    """Execute notebooks side by side, one per core, training nothing; 1 when one failed (the others still run)."""
    given = {"profile": profile, "cluster": "none", **places(options), **options.more}
    kept = project.runs_folder(options.runs) / "notebooks"
    code = 0
    with tempfile.TemporaryDirectory(prefix="replication-") as scratch:
        jobs = [
            (source, target(source), given, kept / f"{source.stem}.failed.ipynb", scratch) for source in chosen.values()
        ]
        for failed, said in clusters.side_by_side(_drawn, jobs):
            say(said)
            code |= failed
    return code


def _drawn(job: tuple[Any, ...]) -> tuple[bool, str]:
    """Whether the notebook failed, and the line that says so or how long it took."""
    from replication.orchestration import notebooks  # a second to import: other verbs do without

    begun = time.monotonic()
    try:
        written = notebooks.execute(*job)
    except notebooks.NotebookFailed as error:
        return True, str(error)
    return False, f"  {project.shown(written)} {duration(time.monotonic() - begun)}"


def choose_notebooks(paper: str | None) -> dict[str, Path]:
    """Name -> source of all notebooks, or of the paper's one."""
    from replication.orchestration import notebooks

    found = notebooks.sources()
    if not found:
        raise BadInput(f"no notebooks in {str(project.root() / 'notebooks')!r}; start from the project's folder")
    if paper is None:
        return found
    return {paper: found[choose("paper", paper, found)]}


def experiments_of(papers: Iterable[str]) -> list[Experiment]:
    """All experiments of those papers that have some."""
    return [one for paper in papers if paper in discovery.papers() for one in discovery.experiments(paper)]


def places(options: Namespace) -> dict[str, Any]:
    """Folders and seeds, by the names `ensure` gives them."""
    return {"runs": options.runs, "figures": options.figures, "seeds": options.seeds}


def profile_or(options: Namespace, default: Profile) -> Profile:
    """The profile asked for, or the verb's own."""
    return default if options.profile is None else options.profile


def _experiments(options: Namespace) -> list[Experiment]:
    ready = list(discovery.papers())
    if options.experiment is None:
        wanted = ready if options.paper is None else [choose("paper", options.paper, ready)]
        return experiments_of(wanted)
    if options.paper is None:
        raise BadInput(f"--experiment {options.experiment} needs --paper; known papers: {', '.join(ready)}")
    return list(discovery.experiments(options.paper, options.experiment))


def _estimates(options: Namespace, profile: Profile, wanted: list[Experiment]) -> list[costs.Estimate]:
    return costs.estimates(wanted, profile, table.open_store(options.runs, options.figures), options.seeds)


def _counts(specs: list[plan.RunSpec], place: store.Store) -> dict[str, Any]:
    keys: dict[str, list[str]] = {"finished": [], "half": [], "missing": []}
    begun = {}
    for spec in specs:
        state = place.state(spec)
        keys[state].append(spec.key)
        if state == "half":
            begun[spec.key] = store.progress(place.folder(spec))
    return {**{state: len(names) for state, names in keys.items()}, "keys": keys, "begun": begun}
