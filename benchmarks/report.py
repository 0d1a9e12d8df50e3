"""Tables of measured rates and ratios, as text that is also Markdown, and as plain values for JSON."""

import numpy as np

from benchmarks.contest import Outcome, Target


def text(outcome: Outcome) -> str:
    """One benchmark: rates, ratios against targets, notes."""
    benchmark = outcome.benchmark
    rows = [["contestant", "threads", f"{benchmark.unit}/s, median", "min-max", "note"]]
    for contestant in benchmark.contestants:
        if contestant.name in outcome.rates:
            rates = outcome.rates[contestant.name]
            middle, spread = number(np.median(rates)), f"{number(rates.min())} - {number(rates.max())}"
        else:
            middle, spread = "not installed", outcome.missing.get(contestant.name, "")
        rows.append([contestant.name, str(contestant.threads), middle, spread, contestant.note])
    parts = [f"## {benchmark.name}", benchmark.question, table(rows)]
    if benchmark.targets:
        goals = [["ratio", "median", "min-max", "target", "result"]]
        goals += [_target_row(outcome, target) for target in benchmark.targets]
        parts.append(table(goals))
    rounds = len(next(iter(outcome.rates.values()), ()))
    load = f"{rounds} rounds in turn; load average {outcome.load[0]:.1f} before, {outcome.load[1]:.1f} after."
    parts.append("\n".join(f"- {note}" for note in (load, *benchmark.notes)))
    return "\n\n".join(parts)


def _target_row(outcome: Outcome, target: Target) -> list[str]:
    names = f"{target.ours} / {' or '.join(target.peers)}"
    ratios, goal = outcome.ratios(target), f">= {target.at_least:,g}x"
    if ratios is None:
        return [names, "", "", goal, "not measured"]
    spread = f"{number(ratios.min())} - {number(ratios.max())}"
    return [names, f"{number(np.median(ratios))}x", spread, goal, "met" if met(outcome, target) else "MISSED"]


def met(outcome: Outcome, target: Target) -> bool | None:
    """Whether the median ratio reaches the target; None if it could not be measured."""
    ratios = outcome.ratios(target)
    return None if ratios is None else bool(np.median(ratios) >= target.at_least)


def table(rows: list[list[str]]) -> str:
    """Markdown table with columns of even width; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Three significant digits with thousands marked."""
    rounded = float(f"{value:.3g}")
    if rounded == 0 or not np.isfinite(rounded):
        return str(rounded)
    digits = max(0, 2 - int(np.floor(np.log10(abs(rounded)))))
    return f"{rounded:,.{digits}f}"


def plain(outcome: Outcome) -> dict:
    """JSON-ready rates and ratios."""
    return {
        "unit": outcome.benchmark.unit,
        "rates_per_second": {name: [float(f"{rate:.4g}") for rate in rates] for name, rates in outcome.rates.items()},
        "missing": sorted(outcome.missing),
        "load_average": [round(value, 2) for value in outcome.load],
        "targets": [_plain_target(outcome, target) for target in outcome.benchmark.targets],
    }


def _plain_target(outcome: Outcome, target: Target) -> dict:
    ratios = outcome.ratios(target)
    values = None if ratios is None else [float(f"{ratio:.4g}") for ratio in ratios]
    row = {"ours": target.ours, "peers": list(target.peers), "at_least": target.at_least}
    return row | {"ratios": values, "met": met(outcome, target)}
