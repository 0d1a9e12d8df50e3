"""Which papers and experiments there are.

A paper is a folder of `replication/papers` with an `experiments.py` that exposes `EXPERIMENTS`. Further
ones can be named in the variable REPLICATION_EXTRA_PAPERS ("name:path/to/experiments.py", several
separated by commas); worker processes read the same variable.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from replication.orchestration import project
from replication.orchestration.plan import Experiment
from replication.settings import BadInput, choose
from replication.stats import claims


def papers() -> dict[str, Path]:
    """Paper name -> its folder, in the order of the notebooks; those without one and extra papers last."""
    found = {path.parent.name: path.parent for path in sorted((project.PACKAGE / "papers").glob("*/experiments.py"))}
    read = [path.stem[3:] for path in sorted((project.root() / "notebooks").glob("[0-9][0-9]_*.py"))]
    ordered = {name: found[name] for name in (*read, *found) if name in found}
    return ordered | {name: path.parent for name, path in _extra().items()}


def experiments(paper: str, name: str | None = None) -> tuple[Experiment, ...]:
    """The experiments of `paper`, or only the one called `name`."""
    choose("paper", paper, papers())
    found = {experiment.name: experiment for experiment in _module(paper).EXPERIMENTS}
    for experiment in found.values():
        if experiment.paper != paper:
            raise BadInput(f"experiment {experiment.name!r} in paper {paper!r} says it belongs to {experiment.paper!r}")
    return tuple(found.values()) if name is None else (found[choose("experiment", name, found)],)


def folder(paper: str) -> Path:
    """The folder of `paper`."""
    found = papers()
    return found[choose("paper", paper, found)]


def claims_file(paper: str) -> Path:
    """The paper's claims.toml, which every paper has."""
    return folder(paper) / "claims.toml"


def rules_digest(paper: str) -> dict[str, str]:
    """Claim id -> digest of the claim's rules as they stand now: what a run notes when it starts."""
    return claims.rules_digests(claims_file(paper))


def _extra() -> dict[str, Path]:
    entries = [entry for entry in os.environ.get("REPLICATION_EXTRA_PAPERS", "").split(",") if entry.strip()]
    found = {}
    for entry in entries:
        name, _, path = entry.strip().partition(":")
        if not name or not Path(path).is_file():
            raise BadInput(f"REPLICATION_EXTRA_PAPERS wants name:path/to/experiments.py, got {entry!r}")
        found[name] = Path(path).resolve()
    return found


def _module(paper: str) -> ModuleType:
    extra = _extra()
    if paper not in extra:
        return importlib.import_module(f"replication.papers.{paper}.experiments")
    name = f"replication_extra_{paper}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(extra[paper]):
        return known
    spec = importlib.util.spec_from_file_location(name, extra[paper])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
