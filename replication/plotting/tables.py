"""Tables for notebooks (html) and the README (markdown): verdicts, and any other."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from replication.settings import choose

Style = Literal["markdown", "html"]
MARKS = {
    "reproduced": "\u2713",
    "partly": "\u25d0",
    "contradicted": "\u2717",
    "inconclusive": "?",
    "not run": "\u2013",
    "blocked": "\u25a0",
}
STATUS_COLOURS = {
    "reproduced": "#1a7f5a",
    "partly": "#8a6d00",
    "contradicted": "#b03030",
    "inconclusive": "#5a5a5a",
    "not run": "#8a8a8a",
    "blocked": "#8a8a8a",
}


def verdict_table(rows: Sequence[Mapping[str, Any]], style: Style = "markdown", *, rules: bool = True) -> str:
    """The rows of `replication.stats.verdict.ledger` as a table: what came out before how it was judged.

    Args:
        rows: the ledger.
        style: markdown or html.
        rules: whether to show the rule in words; a short table does without.
    """
    header = ("claim", "verdict", "what we find", *(("rule",) if rules else ()), "source")
    body = [
        (
            _claim(row, style),
            _status(row, style),
            _cell(_found(row), style),
            *((_cell(row["rule"], style),) if rules else ()),
            _cell(f"{row['where']} ({row['evidence']})" if row["where"] else "", style),
        )
        for row in rows
    ]
    return table(header, body, style)


def table(header: Sequence[str], body: Sequence[Sequence[str]], style: Style = "markdown") -> str:
    """Plain table; cells of `body` are already escaped for the style."""
    choose("table style", style, ("markdown", "html"))
    titles = [_cell(name, style) for name in header]
    if style == "markdown":
        lines = [titles, ["---"] * len(titles), *body]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in titles)
    rows = "".join(f"<tr>{''.join(f'<td style={LEFT}>{cell}</td>' for cell in line)}</tr>\n" for line in body)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


LEFT = '"text-align:left;vertical-align:top"'


def _claim(row: Mapping[str, Any], style: Style) -> str:
    name, statement = _cell(row["id"], style), _cell(row["statement"], style)
    primary = " (primary)" if row["primary"] else ""
    return f"**{name}**{primary} {statement}" if style == "markdown" else f"<b>{name}</b>{primary} {statement}"


def _status(row: Mapping[str, Any], style: Style) -> str:
    status = str(row["status"])
    state = next((name for name in MARKS if name in status), "inconclusive")
    label = f" ({row['label']})" if row["label"] and row["label"] not in status else ""
    words = f"{MARKS[state]} {status}{label}"
    if style == "markdown":
        return _cell(words, style)
    return f'<span style="color:{STATUS_COLOURS[state]};font-weight:bold">{_cell(words, style)}</span>'


def _found(row: Mapping[str, Any]) -> str:
    if str(row["status"]).endswith("not run"):  # of a preview, too
        return "\u2013"
    return " \u2013 ".join(text for text in (row["estimate"], row["note"]) if text)


def _cell(text: object, style: Style) -> str:
    plain = " ".join(str(text).split())
    return plain.replace("|", "\\|") if style == "markdown" else html.escape(plain, quote=False)
