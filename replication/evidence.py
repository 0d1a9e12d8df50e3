"""What the evidence says and whether it still fits: ledgers, the README's table, and `replicate check`.

Everything is judged from digests, never from dates.
"""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from replication.orchestration import discovery, files, plan, project, results, table
from replication.settings import Profile
from replication.stats import claims

BLOCK = re.compile(r"(<!-- generated:verdicts -->\n).*?(<!-- end -->)", re.DOTALL)

Rows = list[dict[str, Any]]


def ledger(
    paper: str,
    profile: Profile = "full",
    *,
    runs: str | Path = "runs",
    figures: str | Path = "figures",
    seeds: int = 0,
) -> Rows:
    """Judge the paper's claims from what is finished; one row per claim, as `replication.stats.verdict.ledger` says."""
    from replication.stats import verdict

    experiments = discovery.experiments(paper)
    scores = table.score_table(experiments, profile, table.open_store(runs, figures), seeds)
    curves = {
        (experiment.name, arm): found
        for experiment in experiments
        for arm, found in table.load_curves(experiment, profile, runs=runs, figures=figures, seeds=seeds).items()
    }
    path = discovery.claims_file(paper)
    return verdict.ledger(path, scores, profile, rules_of_key=scores.attrs["rules"], curves=curves)


def ledgers(profile: Profile = "full", **places: Any) -> dict[str, Rows]:
    """Paper -> its ledger, for all papers."""
    return {paper: ledger(paper, profile, **places) for paper in discovery.papers()}


def readme_block(found: dict[str, Rows]) -> str:
    """The README's generated part: one table per paper, folded under its counts; the rules stand in the notebooks."""
    from replication.plotting.tables import verdict_table

    parts = [
        f"<details>\n<summary><b>{title(paper)}</b>: {counts(rows)}</summary>\n\n"
        f"{verdict_table(rows, rules=False).rstrip()}\n\n</details>"
        for paper, rows in found.items()
    ]
    return "\n\n".join(parts) + "\n"


def counts(rows: Rows) -> str:
    """`3 reproduced, 1 contradicted`."""
    from replication.stats.verdict import tally

    return ", ".join(f"{count} {status}" for status, count in tally(rows).items())


def update_readme(found: dict[str, Rows]) -> bool:
    """Write the ledger into README.md between its markers; True when the file changed."""
    path = project.root() / "README.md"
    if not path.is_file():
        return False
    text = path.read_text()
    block = readme_block(found)
    changed = BLOCK.sub(lambda match: match[1] + block + match[2], text)
    if changed == text:
        return False
    files.write_bytes(path, changed.encode())
    return True


def write_scores(paper: str, **places: Any) -> None:
    """Write the paper's scores.csv beside its figures, once it has results."""
    content = scores_csv(paper, **places) if paper in discovery.papers() else b""
    if content.count(b"\n") > 1:
        path = project.figures_folder(places.get("figures", "figures")) / paper / "scores.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, content)


def scores_csv(paper: str, *, runs: str | Path = "runs", figures: str | Path = "figures") -> bytes:
    """The paper's scores.csv: every finished run of the full profile, one row per arm, seed and metric."""
    scores = table.score_table(discovery.experiments(paper), "full", table.open_store(runs, figures))
    return scores.to_csv(index=False, lineterminator="\n").encode()


def check(*, runs: str | Path = "runs", figures: str | Path = "figures") -> list[str]:
    """What does not fit: one line per finding, none when all evidence agrees.

    Looks at committed results (edited by hand?), figures (does the certificate match?), scores.csv,
    verdicts (does a `reproduced` rest on a rule that came after its runs?) and the README's table.
    """
    folder = project.figures_folder(figures)
    found = ledgers(runs=runs, figures=figures)
    findings = [*_results(folder), *_figures(folder), *_late_rules(found, folder), *_readme(found)]
    for paper in discovery.papers():
        path = folder / paper / "scores.csv"
        if path.is_file() and path.read_bytes() != scores_csv(paper, runs=runs, figures=figures):
            findings.append(f"{project.shown(path)}: differs from the results; redraw the figures")
    return findings


def title(paper: str) -> str:
    """Paper name for readers."""
    return paper.replace("_", " ").capitalize()


def _results(folder: Path) -> list[str]:
    findings = []
    for result in sorted(folder.glob("*/results/*/")):
        problems = results.problems(result, result.name)
        if not (result / "done.json").is_file():
            problems = ["done.json is missing"]
        findings += [f"{project.shown(result)}: {problem}; compute the run again" for problem in problems]
    return findings


def _figures(folder: Path) -> list[str]:
    from replication.plotting import certificate

    findings = []
    for path in sorted(folder.glob("*/*.json")):
        if path.parent.name == "quick":
            continue
        findings += [finding.replace(f"{project.root()}/", "") for finding in certificate.verify(path)]
        stated = files.read_json(path)
        keys = stated.get("results", []) if isinstance(stated, dict) else []
        absent = [key for key in keys if not (path.parent / "results" / key / "done.json").is_file()]
        if absent:
            findings.append(
                f"{project.shown(path)}: rests on results that are not committed ({', '.join(absent)}); redraw it"
            )
    return findings


def _late_rules(found: dict[str, Rows], figures: Path) -> list[str]:
    findings = []
    for paper, rows in found.items():
        known = {claim.id: claim for claim in claims.load_claims(discovery.claims_file(paper))}
        for row in rows:
            if row["status"] != "reproduced":
                continue
            late = _runs_before(paper, known[row["id"]], figures)
            if row["label"] == "post hoc" or late:
                findings.append(f"{paper} {row['id']}: reproduced, but its rule is post hoc for {len(late)} run(s)")
    return findings


def _runs_before(paper: str, claim: claims.Claim, figures: Path) -> list[str]:
    """Keys of committed results the claim speaks of that do not carry its present digest."""
    named = [name for rule in claim.rules for name in rule.arms()]
    patterns = [name if "/" in name else f"{name}/*" for name in named]
    late = set()
    for experiment in discovery.experiments(paper):
        for spec in plan.specs(experiment, "full"):
            name = f"{spec.experiment}/{spec.arm}"
            if not any(fnmatchcase(name, pattern) for pattern in patterns):
                continue
            settings = files.read_json(figures / paper / "results" / spec.key / "settings.json")
            noted = settings.get("rules_digest", {}) if settings else {}
            if settings and noted.get(claim.id) != claims.claim_digest(claim):
                late.add(spec.key)
    return sorted(late)


def _readme(found: dict[str, Rows]) -> list[str]:
    path = project.root() / "README.md"
    if not path.is_file():
        return ["README.md: is missing"]
    text = path.read_text()
    block = BLOCK.search(text)
    if block is None:
        return ["README.md: has no block between <!-- generated:verdicts --> and <!-- end -->"]
    if block[0] != block[1] + readme_block(found) + block[2]:
        return ["README.md: its verdict table differs from the ledger; run `replicate figures --redraw`"]
    return []
