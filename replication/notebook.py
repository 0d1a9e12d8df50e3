"""What a notebook shows: its parameters, live source, settings, verdicts and a stamp."""

import html
import inspect
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic

from replication import evidence
from replication.orchestration import clusters, discovery, project, provenance, scheduler, table
from replication.orchestration.plan import Experiment
from replication.orchestration.progress import duration
from replication.settings import Profile, Settings, setting

if TYPE_CHECKING:
    import pandas as pd


class NotebookParameters(Settings):
    """The parameters every notebook has; the first cell after `parameters` builds this from them."""

    profile: Profile = setting("full", "size of the experiments: smoke, quick or full", origin="ours")
    seeds: int = setting(0, "number of seeds; 0 for the profile's own", unit="seed", origin="ours", ge=0)
    runs: str = setting("runs", "folder of the run store, from the project's folder", origin="ours")
    figures: str = setting("figures", "folder of figures and committed results", origin="ours")
    cluster: str = setting("local", "where runs are computed: inline, local, none or file:PATH", origin="ours")

    @pydantic.field_validator("cluster")
    @classmethod
    def _known_cluster(cls, value: str) -> str:
        return clusters.check(value)

    def ensure(self, experiments: Experiment | Iterable[Experiment], **options: Any) -> "pd.DataFrame":
        """Score table of the experiments; what is missing is computed first (see `orchestration.ensure`)."""
        places = {"runs": self.runs, "figures": self.figures, "cluster": self.cluster, "seeds": self.seeds}
        return scheduler.ensure(experiments, self.profile, **{**places, **options})

    def curves(self, experiment: Experiment) -> dict[str, dict[str, np.ndarray]]:
        """Arm -> {curve: array with all seeds stacked} of what is finished."""
        return table.load_curves(experiment, self.profile, runs=self.runs, figures=self.figures, seeds=self.seeds)

    def figure_folder(self, paper: str) -> Path:
        """Where the paper's pictures go: figures/<paper> for the full profile, figures/quick/<paper> for others."""
        folder = project.figures_folder(self.figures)
        return folder / paper if self.profile == "full" else folder / "quick" / paper


class Shown:
    """Something with a plain text and an HTML or Markdown form, as notebooks show it."""

    def __init__(self, text: str, *, markdown: str | None = None, as_html: str | None = None) -> None:
        self._text, self._markdown, self._html = text, markdown, as_html

    def __repr__(self) -> str:
        return self._text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        forms = {"text/plain": self._text, "text/markdown": self._markdown, "text/html": self._html}
        return {mime: form for mime, form in forms.items() if form is not None}


def source(thing: Callable | type, first: int | None = None, last: int | None = None) -> Shown:
    """The source of a function, method or class as it is in this checkout.

    Args:
        thing: what to show.
        first: first line to show, counted from 1 at the line of the definition; default the first.
        last: last line to show; default the last.
    """
    lines, start = inspect.getsourcelines(thing)
    begin, end = (first or 1) - 1, min(last or len(lines), len(lines))
    code = inspect.cleandoc("\n" + "".join(lines[begin:end])) if begin == 0 else _unindented(lines[begin:end])
    place = f"{project.shown(inspect.getsourcefile(thing) or '?')}, lines {start + begin}-{start + end - 1}"
    return Shown(f"# {place}\n{code}", markdown=f"`{place}`\n\n```python\n{code}\n```")


def describe(settings: Settings) -> Shown:
    """Table of settings, folded: name, value, unit, meaning and origin."""
    rows = settings.describe()
    return show_table(rows, f"{len(rows)} settings with unit, meaning and origin")


def verdicts(paper: str, parameters: NotebookParameters | None = None, *only: str) -> Shown:
    """Table of the paper's claims and what became of them, judged from what is finished.

    Args:
        paper: folder name of the paper.
        parameters: of the notebook.
        only: first letters of the claims to show, for instance "V1"; all if none are given.
    """
    rows = evidence.ledger(paper, **_from(parameters))
    return _verdict_table({paper: [row for row in rows if not only or row["id"].startswith(only)]})


def scorecard(parameters: NotebookParameters | None = None) -> Shown:
    """Tables of the claims of all papers, each with a line that counts the verdicts."""
    return _verdict_table(evidence.ledgers(**_from(parameters)))


def estimates(
    scores: "pd.DataFrame", places: Mapping[str, tuple[str, str]], metrics: Iterable[str], digits: int = 4
) -> Shown:
    """Table of mean scores with their 95 % interval over seeds; one row per label, a single run has no interval.

    Args:
        scores: the table `parameters.ensure` returned.
        places: label -> (experiment, arm); what has not run is left out.
        metrics: columns.
    """
    from replication.seeding import stream
    from replication.stats import intervals
    from replication.stats.scores import find

    rows = []
    for label, (experiment, arm) in places.items():
        row: dict[str, Any] = {"method": label}
        for metric in metrics:
            values = find(scores, experiment, arm, metric)["value"].to_numpy(float)
            if len(values) > 1:
                row[metric] = intervals.interval(values, rng=stream("table intervals")).text()
            elif len(values):
                row[metric] = f"{values[0]:.{digits}g}"
        rows += [row] if len(row) > 1 else []
    return show_table(rows)


def assumptions(paper: str) -> Shown:
    """Table of what the paper leaves open, what is chosen here, and how much it matters."""
    text = (discovery.folder(paper) / "assumptions.toml").read_text(encoding="utf-8")
    return show_table(tomllib.loads(text)["assumption"])


def stamp(parameters: NotebookParameters, scores: "pd.DataFrame") -> Shown:
    """Where the numbers above come from. Nothing in it depends on when or how fast the notebook ran.

    Args:
        parameters: of the notebook.
        scores: the table `parameters.ensure` returned.
    """
    commits = scores.attrs.get("commits") or ["none"]
    versions = ", ".join(f"{name} {version}" for name, version in provenance.packages().items())
    facts = {
        "profile": parameters.profile,
        "seeds": f"{scores['seed'].nunique()} ({scores['key'].nunique()} runs)",
        "computing time of these runs": duration(scores.attrs.get("wall_seconds", 0.0)),
        "computed at commit": ", ".join(commits),
        "packages here": versions,
    }
    return show_table([{"": name, "value": value} for name, value in facts.items()])


def show_table(rows: list[dict[str, Any]], folded: str = "") -> Shown:
    """Rows as a plain table that looks the same in every viewer; `folded` is the line to click to unfold it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_text(row.get(name, "")) for name in names] for row in rows]
    left = ' style="text-align:left"'
    head = "".join(f"<th{left}>{html.escape(name)}</th>" for name in names)
    body = "\n".join("<tr>" + "".join(f"<td{left}>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    page = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    if folded:
        page = f"<details><summary>{html.escape(folded)}</summary>\n{page}\n</details>"
    return Shown("\n".join(" | ".join(row) for row in [names, *cells]), as_html=page)


def _from(parameters: NotebookParameters | None) -> dict[str, Any]:
    given = (parameters or NotebookParameters()).plain()
    return {name: value for name, value in given.items() if name != "cluster"}


def _verdict_table(ledgers: dict[str, list[dict[str, Any]]]) -> Shown:
    from replication.plotting import tables

    parts = [
        (f"<p><b>{evidence.title(paper)}</b>: {evidence.counts(rows)}</p>\n" if len(ledgers) > 1 else "")
        + tables.verdict_table(rows, "html")
        for paper, rows in ledgers.items()
    ]
    text = "\n".join(f"{row['id']}: {row['status']}" for rows in ledgers.values() for row in rows)
    return Shown(text, as_html="\n".join(parts))


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _unindented(lines: list[str]) -> str:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "".join(line[margin:] or "\n" for line in lines).rstrip()
