"""The command line: `replicate figures | run | plan | status | claims | check | dataset`."""

import json
import shutil
import signal
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from replication import evidence
from replication.notebook import NotebookParameters
from replication.orchestration import RunsFailed, command_line, commands, discovery, project, scheduler
from replication.orchestration.commands import say
from replication.settings import BadInput, choose

SCORECARD = "scorecard"


def main(words: list[str] | None = None) -> int:
    """Run one verb; 0 done, 1 something failed or does not fit, 2 bad input, 130 interrupted."""
    verbs = {
        "figures": figures,
        "run": commands.run,
        "plan": commands.plan_runs,
        "status": commands.status,
        "claims": claims,
        "check": check,
        "dataset": dataset,
        "help": command_line.show_help,
    }
    signal.signal(signal.SIGTERM, _interrupt)  # a site scheduler's polite request ends as cleanly as Ctrl-C
    try:
        options = command_line.read_words(sys.argv[1:] if words is None else words)
        return verbs[options.verb](options)
    except BadInput as error:
        print(f"replicate: {error}", file=sys.stderr)
        return 2
    except RunsFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("replicate: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def figures(options: Namespace) -> int:
    """Redraw the published figures and train what the profile asks for, then draw that too."""
    chosen = commands.choose_notebooks(options.paper)
    _check_parameters(options, chosen)
    project.writable(project.figures_folder(options.figures), "figures")
    project.writable(project.runs_folder(options.runs), "runs")
    if options.profile == "smoke" and not options.redraw:
        return smoke(options, chosen)
    code = 0
    if options.profile == "full" and not options.redraw:
        code |= commands.train(options, "full", chosen)
    if options.profile in (None, "full") or options.redraw:
        code |= redraw(options, _with_scorecard(chosen))
    if options.profile in (None, "quick") and not options.redraw:
        code |= quick(options, chosen)
    return code


def quick(options: Namespace, chosen: dict[str, Path]) -> int:
    """Train the quick profile and draw it below figures/quick."""
    code = commands.train(options, "quick", chosen)
    folder = project.figures_folder(options.figures) / "quick"
    say("drawing the quick profile")
    code |= commands.draw(options, "quick", chosen, lambda source: folder / f"{source.stem}.ipynb")
    say(f"pictures and executed notebooks of the quick profile are in {project.shown(folder)}")
    return code


def redraw(options: Namespace, chosen: dict[str, Path]) -> int:
    """Every published figure, scores.csv and the README table from committed results; nothing is trained."""
    say("redrawing the published figures from committed results")
    scheduler.ensure(commands.experiments_of(chosen), "full", **commands.places(options), cluster="none")
    code = commands.draw(options, "full", chosen, lambda source: source.with_suffix(".ipynb"))
    places = {"runs": options.runs, "figures": options.figures}
    for paper in chosen:
        evidence.write_scores(paper, **places)
    if evidence.update_readme(evidence.ledgers(**places)):
        say("README.md: verdict table renewed")
    return code


def smoke(options: Namespace, chosen: dict[str, Path]) -> int:
    """Everything on tiny budgets in a temporary folder, which is removed unless something failed."""
    folder = Path(tempfile.mkdtemp(prefix="replication-smoke-"))
    defaults = {"runs": str(folder / "runs"), "figures": str(folder / "figures")}
    moved = {name: place for name, place in defaults.items() if getattr(options, name) == name}
    local = Namespace(**{**vars(options), **moved})
    code = commands.train(local, "smoke", chosen)
    code |= commands.draw(local, "smoke", chosen, lambda source: folder / "notebooks" / f"{source.stem}.ipynb")
    pictures = len(list(Path(local.figures).glob("**/*.png")))
    if code:
        say(f"smoke profile failed; what it left is in {folder}")
        return code
    shutil.rmtree(folder)
    say(f"smoke profile: {len(chosen)} notebook(s) ran, {pictures} picture(s) drawn")
    return 0


def claims(options: Namespace) -> int:
    """The claims of all papers and what became of them."""
    profile = commands.profile_or(options, "full")
    wanted = discovery.papers() if options.paper is None else [choose("paper", options.paper, discovery.papers())]
    found = {paper: evidence.ledger(paper, profile, **commands.places(options)) for paper in wanted}
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for paper, rows in found.items():
        say(f"{evidence.title(paper)}: {evidence.counts(rows)}")
        for row in rows:
            label = f" ({row['label']})" if row["label"] and row["label"] not in row["status"] else ""
            say(f"  {row['id']}: {row['status']}{label} - {row['statement']} {row['estimate']}".rstrip())
    return 0


def check(options: Namespace) -> int:
    """Whether figures, committed results, verdicts and README fit together."""
    findings = evidence.check(runs=options.runs, figures=options.figures)
    for finding in findings:
        say(finding)
    say(f"{len(findings)} finding(s)" if findings else "everything fits")
    return 1 if findings else 0


def dataset(options: Namespace) -> int:
    """Collect an offline dataset, or check one."""
    from replication.papers.radio_resource import dataset_command  # a second to import: other verbs do without

    return dataset_command.run(options)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _check_parameters(options: Namespace, chosen: dict[str, Path]) -> None:
    from replication.orchestration import notebooks

    for source in chosen.values():
        known = notebooks.parameters_of(notebooks.convert(source))
        notebooks.check_parameters(options.more, known)
        if set(known) != set(NotebookParameters.model_fields):
            raise BadInput(f"{source.name}: parameters must be {', '.join(NotebookParameters.model_fields)}")


def _with_scorecard(chosen: dict[str, Path]) -> dict[str, Path]:
    """The chosen notebooks, the scorecard last: it shows what the others came to."""
    from replication.orchestration import notebooks

    every = notebooks.sources()
    ordered = {name: source for name, source in chosen.items() if name != SCORECARD}
    return ordered | ({SCORECARD: every[SCORECARD]} if SCORECARD in every else {})


if __name__ == "__main__":
    sys.exit(main())
