"""Where the papers' claims come from: places a reader can find, and grades that fit them."""

import re

import pytest

from replication.orchestration import discovery
from replication.stats.claims import EVIDENCE, Claim, load_claims

CLAIMS = [
    pytest.param(claim, id=f"{paper}-{claim.id}")
    for paper in discovery.papers()
    for claim in load_claims(discovery.folder(paper) / "claims.toml")
]
# our own working papers, and headings of a summary that read like headings of the paper
PRIVATE = r"\b(facts|viable plan|study's plan|(first|second) experiment|failure signatures|design trade-?off)\b"
SUMMARY = r"\bsummar(y|ised)\b"
PROVEN = r"\b(theory|theorem|closed forms?)\b"


def wrong_source(where: str, evidence: str) -> str:
    """What is wrong with the source of a claim, nothing if it is right."""
    places = where.split("; ")
    if re.search(PRIVATE, where):
        return "names what no reader has"
    if re.search(SUMMARY, where) and not where.startswith("our ") and evidence != "second hand":
        return "a summary is second hand"
    if (evidence == "ours") != where.startswith("our "):
        return "our word, and only ours, begins with 'our' and is graded ours"
    if (evidence == "theory") != bool(re.match(rf"{PROVEN}", where)):
        return "a theorem or closed form, and only that, is graded theory"
    if len(places) == 1 and re.match(r"\d{4}\.\d{5},? abstract", where) and evidence != "own text":
        return "an abstract that was read is own text"
    return ""


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_names_a_source_that_fits_its_grade(claim: Claim):
    assert wrong_source(claim.where, claim.evidence) == ""


@pytest.mark.parametrize(
    ("where", "evidence", "message"),
    [
        ("facts: pairs are quadratic", "second hand", "no reader"),
        ("2504.21048, minimum viable plan", "own text", "no reader"),
        ("2401.10949, first experiment: 2 to 4 agents", "second hand", "no reader"),
        ("summary of 2401.10949: two agents", "own text", "second hand"),
        ("2501.12991, as summarised", "own text", "second hand"),
        ("our control", "second hand", "graded ours"),
        ("2110.14300 section 5.2", "ours", "graded ours"),
        ("closed forms", "second hand", "graded theory"),
        ("2110.14300 section 5.2", "theory", "graded theory"),
        ("2302.07938, abstract: scalable", "second hand", "own text"),
        ("2501.12991 abstract", "second hand", "own text"),
    ],
)
def test_a_wrong_source_is_noticed(where, evidence, message):
    assert message in wrong_source(where, evidence)


def test_every_grade_has_a_meaning_and_is_distinct():
    assert all(len(meaning) > 20 for meaning in EVIDENCE.values())
    assert len(set(EVIDENCE.values())) == len(EVIDENCE)
    assert {"ours", "theory"} <= {claim.values[0].evidence for claim in CLAIMS} <= set(EVIDENCE)
