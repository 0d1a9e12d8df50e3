"""Verdicts: each claim of a claims.toml judged from the score table. The schema is in `replication.stats.claims`.

A rule holds only if the 95 % interval of its number lies wholly on the claimed side, is contradicted only if
it lies wholly on the other side, and is undecided otherwise. (For equivalence this is stricter than the usual
TOST at 5 %, which asks for the 90 % interval.) A claim is `reproduced` if all its rules hold, `partly` if
some do, `contradicted` if all are contradicted, else `inconclusive`; `not run` without data; `blocked` if the
claim says so. A comparison of deterministic runs has no interval over seeds: its sign decides, and it says so.

Only the `full` profile gives a verdict. Other profiles give "preview: ...", from the seeds they have.
A claim whose present rules were not on record when a run it uses was made is labelled `post hoc`, and is
never `reproduced`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from replication.settings import PROFILES, choose
from replication.stats.claims import AnyRule, Claim, claim_digest, kind_of, load_claims
from replication.stats.judging import Curves, Outcome, judge

STATES = ("reproduced", "partly", "contradicted", "inconclusive", "not run", "blocked")
PART_MARKS = {"holds": "✓ ", "contradicted": "✗ "}  # of a part of a rule with several; undecided ones get "? "
NO_NUMBERS = {"value": None, "low": None, "high": None, "n": 0, "sample": ""}


def ledger(
    claims_path: Path | str,
    table: pandas.DataFrame,
    profile: str,
    *,
    rules_of_key: Mapping[str, Mapping[str, str]] | None = None,
    curves: Curves | None = None,
) -> list[dict[str, Any]]:
    """Judge every claim of a file; one JSON-ready row per claim, in the file's order.

    Args:
        claims_path: a paper's claims.toml.
        table: score table of the paper (all its experiments).
        profile: the profile the scores come from.
        rules_of_key: for each run key the {claim id: digest} stored when the run started. Without it no run
            can show that it knew the rules, so every verdict of the full profile is post hoc.
        curves: {(experiment, arm): {curve name: (seed, day)}}, seeds ascending, for rules with `curve`.

    Returns:
        Rows with id, statement, status, label, estimate, rule, note, where, evidence, primary, min_seeds,
        digest and rules (per-rule kind, text, state, value, low, high, n, note).
    """
    choose("profile", profile, PROFILES)
    rows = []
    for claim in load_claims(claims_path):
        outcomes = [judge(rule, claim, table, preview=profile != "full", curves=curves) for rule in claim.rules]
        rows.append(_row(claim, outcomes, profile, rules_of_key or {}))
    return rows


def tally(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many claims have each status, in the order of `STATES` (previews and post-hoc ones after)."""
    counts = Counter(str(row["status"]) for row in rows)
    order = {state: n for n, state in enumerate(STATES)}
    return {status: counts[status] for status in sorted(counts, key=lambda s: (order.get(s, len(order)), s))}


def _status(claim: Claim, outcomes: Sequence[Outcome]) -> str:
    states = [outcome.state for outcome in outcomes]
    if claim.blocked:
        return "blocked"
    if "no data" in states:
        return "not run" if all(state == "no data" for state in states) else "inconclusive"
    if "too few" in states:
        return "inconclusive"
    if all(state == "holds" for state in states):
        return "reproduced"
    if "holds" in states:
        return "partly"
    return "contradicted" if all(state == "contradicted" for state in states) else "inconclusive"


def _row(
    claim: Claim, outcomes: Sequence[Outcome], profile: str, rules_of_key: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    status, label, current = _status(claim, outcomes), "", claim_digest(claim)
    used = sorted(frozenset[str]().union(*(outcome.keys for outcome in outcomes)))
    late = [key for key in used if rules_of_key.get(key, {}).get(claim.id) != current]
    notes = [claim.blocked, *(outcome.note for outcome in outcomes)]
    if profile != "full":
        status = f"preview: {status}"
    elif late and status not in ("not run", "blocked"):
        label = "post hoc"
        notes.append(f"{len(late)} of {len(used)} runs were made before these rules")
        status = "inconclusive (post hoc)" if status == "reproduced" else status
    return {
        "id": claim.id,
        "statement": claim.statement,
        "status": status,
        "label": label,
        "estimate": _numbers(claim, outcomes),
        "rule": "; ".join(rule.words() for rule in claim.rules),
        "note": "; ".join(note for note in notes if note),
        "where": claim.where,
        "evidence": claim.evidence,
        "primary": claim.primary,
        "min_seeds": claim.min_seeds,
        "digest": current,
        "rules": [_detail(rule, outcome) for rule, outcome in zip(claim.rules, outcomes, strict=True)],
    }


def _numbers(claim: Claim, outcomes: Sequence[Outcome]) -> str:
    """The number of every part; with several parts each says how it came out."""
    parts = [_number(rule, outcome) for rule, outcome in zip(claim.rules, outcomes, strict=True)]
    if len(parts) == 1:
        return parts[0]
    marks = [PART_MARKS.get(outcome.state, "? ") for outcome in outcomes]
    return "; ".join(mark + part for mark, part in zip(marks, parts, strict=True))


def _number(rule: AnyRule, outcome: Outcome) -> str:
    if outcome.estimate is None:
        return outcome.state
    noun = {"order": "difference ", "equivalence": "difference ", "slope": "slope "}.get(kind_of(rule), "")
    return noun + outcome.estimate.text()


def _detail(rule: AnyRule, outcome: Outcome) -> dict[str, Any]:
    numbers = asdict(outcome.estimate) if outcome.estimate else NO_NUMBERS
    plain = {name: None if isinstance(v, float) and not np.isfinite(v) else v for name, v in numbers.items()}
    return {"kind": kind_of(rule), "text": rule.words(), "state": outcome.state, "note": outcome.note, **plain}
