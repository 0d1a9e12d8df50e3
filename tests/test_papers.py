"""Every paper as a whole: claims name real arms with enough seeds, assumptions and settings are complete and used."""

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import replication
from replication.orchestration import discovery
from replication.orchestration.plan import Experiment
from replication.stats import claims
from replication.stats.claims import Slope

PACKAGE = Path(replication.__file__).parent
PAPERS = list(discovery.papers())
TEXT = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
ALL_CLAIMS = [
    pytest.param(paper, claim, id=claim.id)
    for paper in PAPERS
    for claim in claims.load_claims(discovery.folder(paper) / "claims.toml")
]


def scripted(experiment: Experiment) -> bool:
    """One seed at full size: there is nothing to draw."""
    return len(experiment.seeds("full")) == 1


def arms_of(paper: str) -> dict[str, Experiment]:
    return {f"{one.name}/{arm}": one for one in discovery.experiments(paper) for arm in one.arms("full")}


def named_arms(rule: claims.AnyRule, known: dict[str, Experiment]) -> list[str]:
    """The arms a rule speaks of; a slope speaks of a pattern of them."""
    if not isinstance(rule, Slope):
        return list(rule.arms())
    pattern = rule.of if "/" in rule.of else f"{rule.of}/*"
    return [arm for arm in known if fnmatchcase(arm, pattern)] or [rule.of]


@pytest.mark.parametrize(("paper", "claim"), ALL_CLAIMS)
def test_claims_name_arms_that_exist_and_have_the_seeds(paper, claim):
    known = arms_of(paper)
    for rule in claim.rules:
        for arm in named_arms(rule, known):
            assert arm in known, arm
            assert scripted(known[arm]) == any(fnmatchcase(arm, pattern) for pattern in claim.deterministic), arm
            assert scripted(known[arm]) or len(known[arm].seeds("full")) >= claim.min_seeds


@pytest.mark.parametrize("paper", PAPERS)
def test_primary_claims_are_at_most_four_and_have_twenty_seeds_where_seeds_exist(paper):
    known = arms_of(paper)
    primary = [claim for claim in claims.load_claims(discovery.folder(paper) / "claims.toml") if claim.primary]
    assert 1 <= len(primary) <= 4
    for claim in primary:
        arms = [arm for rule in claim.rules for arm in named_arms(rule, known)]
        assert claim.min_seeds == 20 or all(scripted(known[arm]) for arm in arms)


def assumptions(paper: str) -> list[dict[str, str]]:
    return tomllib.loads((discovery.folder(paper) / "assumptions.toml").read_text())["assumption"]


@pytest.mark.parametrize("paper", PAPERS)
def test_assumptions_are_complete_and_numbered_in_one_hundred(paper):
    entries = assumptions(paper)
    for entry in entries:
        assert set(entry) == {"id", "open", "choice", "matters"}, entry["id"]
        assert re.fullmatch(r"A-\d?\d\d", entry["id"])
    assert len({entry["id"][:-2] for entry in entries}) == 1


def test_every_assumption_is_stated_once_and_used_and_every_one_used_is_stated():
    stated = [entry["id"] for paper in PAPERS for entry in assumptions(paper)]
    assert len(stated) == len(set(stated))
    assert set(re.findall(r"\bA-\d\d+\b", TEXT)) == set(stated)
