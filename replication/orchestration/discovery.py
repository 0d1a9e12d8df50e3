"""Which papers and experiments there are.

A paper is a folder of `replication/papers` with an `experiments.py` that exposes `EXPERIMENTS`. Further
ones can be named in the variable REPLICATION_EXTRA_PAPERS ("name:path/to/experiments.py", several
separated by commas); worker processes read the same variable.
"""

import importlib
import importlib.util
import json
import os
import sys
import tomllib
from pathlib import Path
from types import ModuleType

from replication.orchestration import project
from replication.orchestration.plan import Experiment
from replication.settings import BadInput, choose, digest

PROJECT = ("voltage_control", "radio_resource", "general_utilities", "optimal_transport")


def known() -> list[str]:
    """The papers of the project, begun or not, and any further one that is found."""
    return list(dict.fromkeys([*PROJECT, *papers()]))


def papers() -> dict[str, Path]:
    """Paper name -> its folder, in alphabetical order; extra papers last."""
    found = {path.parent.name: path.parent for path in sorted((project.PACKAGE / "papers").glob("*/experiments.py"))}
    return found | {name: path.parent for name, path in _extra().items()}


def experiments(paper: str, name: str | None = None) -> tuple[Experiment, ...]:
    """The experiments of `paper`, or only the one called `name`."""
    choose("paper", paper, papers())
    found = {experiment.name: experiment for experiment in _module(paper).EXPERIMENTS}
    for experiment in found.values():
        if experiment.paper != paper:
            raise BadInput(f"experiment {experiment.name!r} in paper {paper!r} says it belongs to {experiment.paper!r}")
    return tuple(found.values()) if name is None else (found[choose("experiment", name, found)],)


def claims(paper: str) -> list[dict]:
    """The raw entries of the paper's claims.toml; none when there is no such file."""
    path = folder(paper) / "claims.toml"
    if not path.is_file():
        return []
    try:
        return list(tomllib.loads(path.read_text()).get("claim", []))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{paper}/claims.toml cannot be read: {error}") from None


def folder(paper: str) -> Path:
    """The folder of `paper`, whether or not it has experiments yet."""
    extra = _extra()
    return extra[paper].parent if paper in extra else project.PACKAGE / "papers" / paper


def rules_digest(paper: str) -> dict[str, str]:
    """Claim id -> digest of the claim's rules as they stand now: what a run notes when it starts."""
    return {str(claim["id"]): claim_digest(claim) for claim in claims(paper) if "id" in claim}


def claim_digest(claim: dict) -> str:
    """12 hexadecimal digits of what decides a claim, as written in its file; its prose may be bettered later."""
    rules = sorted(claim.get("rule", []), key=lambda rule: json.dumps(rule, sort_keys=True))
    return digest([claim["id"], claim.get("min_seeds"), sorted(claim.get("deterministic", [])), rules])


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
