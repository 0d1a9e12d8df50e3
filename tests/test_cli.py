"""The command line from one end to the other, on a toy paper: figures, plan, status, claims, check, and bad input."""

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest
from toy_paper import project as toy

from replication import evidence
from replication.__main__ import main
from replication.orchestration import clusters, discovery, files, project, results


@pytest.fixture
def toy_project(tmp_path, monkeypatch):
    """A project in a temporary folder that knows only the toy paper."""
    for name, value in toy.variables(REPLICATION_PROJECT=str(tmp_path / "toy")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(project, "PACKAGE", tmp_path / "empty")  # the papers of the repository stay out of sight
    (tmp_path / "empty" / "papers").mkdir(parents=True)
    return toy.make(tmp_path / "toy")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A project after `figures --profile full`: results, figures, executed notebook, README table."""
    folder = toy.make(tmp_path_factory.mktemp("drawn") / "toy")
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        for name, value in toy.variables(REPLICATION_PROJECT=str(folder)).items():
            patch.setenv(name, value)
        assert main(FULL) == 1  # the paper has a broken arm
    assert "walk-fast-drift-s5-9" in said.getvalue()
    assert "1 run(s) failed" in said.getvalue()
    return folder


@pytest.fixture
def copy(drawn, tmp_path, monkeypatch):
    """A copy of the drawn project to change, without its run store."""
    for name, value in toy.variables(REPLICATION_PROJECT=str(tmp_path / "copy")).items():
        monkeypatch.setenv(name, value)
    return Path(shutil.copytree(drawn, tmp_path / "copy", ignore=shutil.ignore_patterns("runs")))


FULL = ["figures", "--paper", "toy", "--profile", "full", "--cluster", "inline"]

SHORT = """# %% [markdown]
# # Toy

# %% tags=["parameters"]
profile = "full"
seeds = 0
runs = "runs"
figures = "figures"
cluster = "local"
"""


def published(folder: Path) -> dict[str, bytes]:
    """Every file a reader of the repository sees, but for what says when and how long."""
    kept = [path for path in folder.glob("**/*") if path.is_file() and "runs" not in path.parts]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in kept
        if path.name not in ("settings.json", "done.json") and path.suffix != ".ipynb"
    }


# ---- bad input


@pytest.mark.parametrize(
    "words, message",
    [
        (["figrues"], "unknown verb 'figrues' (did you mean figures?)"),
        (["run", "--profile", "ful"], "unknown profile 'ful' (did you mean full?)"),
        (["run", "--paper", "tyo"], "unknown paper 'tyo' (did you mean toy?)"),
        (["figures", "--paper", "tyo"], "unknown paper 'tyo' (did you mean toy?)"),
        (["run", "--paper", "toy", "--experiment", "wlak"], "unknown experiment 'wlak' (did you mean walk?)"),
        (["run", "--experiment", "walk"], "--experiment walk needs --paper; known papers: toy"),
        (["run", "--sedes", "3"], "unknown option '--sedes' (did you mean --seeds?)"),
        (["figures", "-p", "sede", "3"], "unknown parameter(s): sede (did you mean seeds?)"),
        (["run", "--seeds", "-1"], "--seeds must be a whole number >= 0 (0: the profile's own), got -1"),
        (["run", "--seeds", "two"], "argument --seeds: invalid int value: 'two'"),
        (["figures", "-p", "seeds", "two"], "--seeds must be a whole number >= 0 (0: the profile's own), got two"),
        (["run", "--budget", "60"], "a budget is a number with s, min or h, for example 60min; got '60'"),
        (["run", "--cluster", "lokal"], "unknown cluster 'lokal' (did you mean local?)"),
        (["run", "--cluster", "file:no.json"], "no.json' is missing or unreadable"),
        (["run", "--runs", "README.md/runs"], "cannot write runs folder"),
        (["figures", "--figures", "README.md/figures"], "cannot write figures folder"),
        (["claims", "--paper", "tyo"], "unknown paper 'tyo' (did you mean toy?)"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(toy_project, capsys, words, message):
    before = sorted(toy_project.glob("**/*"))
    assert main(words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("replicate: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(toy_project.glob("**/*")) == before


def test_a_torn_claims_file_is_one_line(toy_project, capsys, monkeypatch, tmp_path):
    paper = tmp_path / "paper"
    shutil.copytree(toy.HERE, paper)
    (paper / "claims.toml").write_text("[[claim]\n")
    monkeypatch.setenv("REPLICATION_EXTRA_PAPERS", f"toy:{paper / 'experiments.py'}")
    assert main(["claims", "--paper", "toy"]) == 2
    error = capsys.readouterr().err
    assert "not valid TOML" in error
    assert error.count("\n") == 1
    assert main(["run", "--paper", "toy", "--profile", "smoke", "--cluster", "inline"]) == 1
    assert "not valid TOML" in capsys.readouterr().out


def test_help_names_every_verb(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(verb in said for verb in ("figures", "run", "plan", "status", "claims", "check"))


# ---- run, plan, status


def test_run_plan_and_status_agree(toy_project, capsys):
    words = ["--paper", "toy", "--experiment", "walk", "--profile", "quick"]
    assert main(["plan", *words]) == 0
    assert "toy/walk: 2 of 2 runs missing, 10 seeds, unknown: no finished run" in capsys.readouterr().out
    assert main(["run", *words, "--cluster", "inline"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "quick: every run is finished"
    assert main(["plan", *words, "--json"]) == 0
    (estimate,) = json.loads(capsys.readouterr().out)
    assert (estimate["missing"], estimate["seconds"]) == (0, 0.0)
    assert main(["status", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["papers"]["toy"]["walk"]
    assert (found["finished"], found["half"], found["missing"]) == (2, 0, 0)
    assert sorted(path.name[-12:] for path in (toy_project / "runs" / "toy").iterdir()) == sorted(
        found["keys"]["finished"]
    )
    assert main(["plan", "--paper", "toy"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("toy/walk: 4 of 4 runs missing, 20 seeds, ")
    assert said[0].endswith("s (measured on 2 finished run(s))")


def test_status_tells_begun_from_missing(toy_project, capsys, monkeypatch):
    words = ["--paper", "toy", "--experiment", "walk", "--profile", "quick"]
    with monkeypatch.context() as patch:
        toy.clock_of_steps(patch, toy_project.parent / "trace")
        assert main(["run", *words, "--cluster", "inline", "--budget", "3.5s"]) == 0
    said = capsys.readouterr().out
    assert "budget spent: 2 of 2 run(s) left, 1 of them begun" in said
    assert main(["status", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["papers"]["toy"]["walk"]
    assert (found["finished"], found["half"], found["missing"]) == (0, 1, 1)
    (begun,) = found["begun"].values()
    assert begun["step"] == 4
    assert begun["running"] is False


def test_run_reports_failures_and_exits_with_one(toy_project, capsys):
    assert main(["run", "--paper", "toy", "--profile", "smoke", "--cluster", "inline"]) == 1
    captured = capsys.readouterr()
    assert "[4/4] broken-broken-s0-1 FAILED: ZeroDivisionError: the walk fell over at step 4" in captured.out
    assert captured.err.startswith("1 run(s) failed:")


def test_interruption_is_one_line(toy_project, capsys, monkeypatch):
    monkeypatch.setattr("replication.orchestration.work.execute", lambda *_: pytest.fail("not interrupted"))
    monkeypatch.setattr("replication.orchestration.clusters.execute", interrupted)
    assert main(["run", "--paper", "toy", "--profile", "smoke", "--cluster", "inline"]) == 130
    assert capsys.readouterr().err == "replicate: interrupted; the same command goes on from here\n"
    assert not list((toy_project / "runs").glob("*/*"))


def interrupted(*_):
    raise KeyboardInterrupt


# ---- figures


def test_full_figures_leave_executed_notebook_results_figures_and_readme(drawn):
    names = published(drawn)
    for name in ("walk.svg", "walk.png", "walk.csv", "walk.json", "scores.csv"):
        assert f"figures/toy/{name}" in names
    assert len(list(drawn.glob("figures/toy/results/*/done.json"))) == 5
    executed = (drawn / "notebooks" / "01_toy.ipynb").read_text()
    assert "reproduced" in executed
    assert str(drawn) not in executed
    readme = names["README.md"].decode()
    assert "**T1** (primary) The walk with the larger drift ends further up. | ✓ reproduced |" in readme
    assert "feelings are not logged" in readme
    assert readme.endswith("<!-- end -->\n\nThe end.\n")


def test_redraw_from_committed_results_changes_no_byte(copy, capsys, monkeypatch):
    before = {path: path.read_bytes() for path in copy.glob("**/*") if path.is_file()}
    monkeypatch.setenv("TOY_TRACE", str(copy.parent / "trace"))
    assert main(["figures", "--redraw", "--paper", "toy"]) == 0
    after = {path: path.read_bytes() for path in copy.glob("**/*") if path.is_file()}
    assert after == before
    assert not (copy.parent / "trace").exists()
    assert "notebooks/01_toy.ipynb" in capsys.readouterr().out


def test_killed_figures_give_the_same_figures_with_the_same_command(drawn, tmp_path, capsys, monkeypatch):
    folder = toy.make(tmp_path / "toy")
    trace = tmp_path / "trace"
    more = {"REPLICATION_PROJECT": str(folder), "TOY_TRACE": str(trace)}
    first = toy.start(*FULL, **more)
    toy.eventually(lambda: len(toy.steps(trace)) > 30 or first.poll() is not None, "the first run")
    family = toy.family(first)
    first.kill()
    toy.eventually(lambda: not toy.alive(family), "the end of everything it started")
    assert not (folder / "notebooks" / "01_toy.ipynb").exists()
    for name, value in toy.variables(**more).items():
        monkeypatch.setenv(name, value)
    assert main(FULL) == 1
    assert "resumed at step" in capsys.readouterr().out
    assert published(folder) == published(drawn)


def test_failing_notebook_exits_with_one_and_is_named(toy_project, capsys, monkeypatch):
    path = toy_project / "notebooks" / "01_toy.py"
    path.write_text(SHORT + "\n# %%\nraise KeyError('gone')\n")
    assert main(["figures", "--redraw", "--paper", "toy", "--cluster", "inline"]) == 1
    said = capsys.readouterr().out
    assert (
        """notebook 01_toy failed in cell 3 "raise KeyError('gone')" under 'Toy' (In [3]): KeyError: 'gone'""" in said
    )
    assert not path.with_suffix(".ipynb").exists()


def test_a_failing_notebook_leaves_those_beside_it(toy_project, capsys, monkeypatch):
    monkeypatch.setattr(clusters, "cores", lambda: 2)
    for name, end in {"00_scorecard": "\n# %%\nraise KeyError('gone')\n", "01_toy": ""}.items():
        (toy_project / "notebooks" / f"{name}.py").write_text(SHORT + end)
    assert main(["figures", "--redraw", "--paper", "toy", "--cluster", "inline"]) == 1
    said = capsys.readouterr().out
    assert "notebook 00_scorecard failed in cell 3" in said
    assert "notebooks/01_toy.ipynb" in said
    written = [path.name for path in (toy_project / "notebooks").glob("*.ipynb")]
    assert written == ["01_toy.ipynb"]


def test_smoke_leaves_the_project_alone(toy_project, capsys):
    (toy_project / "notebooks" / "01_toy.py").write_text(SHORT)
    before = sorted(toy_project.glob("**/*"))
    code = main(["figures", "--profile", "smoke", "--paper", "toy", "--cluster", "inline"])
    said = capsys.readouterr().out
    assert code == 1  # the broken arm
    folder = Path(said.strip().splitlines()[-1].rpartition(" ")[2])
    assert len(list(folder.glob("runs/toy/*/done.json"))) == 3
    executed = (folder / "notebooks" / "01_toy.ipynb").read_text()
    assert 'profile = \\"smoke\\"' in executed
    assert str(folder) not in executed
    shutil.rmtree(folder)
    assert sorted(toy_project.glob("**/*")) == before


# ---- check


def check(capsys):
    capsys.readouterr()
    code = main(["check"])
    return code, capsys.readouterr().out.splitlines()


def seal(folder):
    """Make a changed result look untouched, as somebody who knows the store could."""
    names = ("scores.csv", "curves.npz", "settings.json")
    done = {"key": folder.name, "sha256": {name: files.sha256(folder / name) for name in names}}
    files.write_json(folder / "done.json", done)


@pytest.fixture
def only_toy(monkeypatch, copy):
    """The repository's own papers have no results in this project; leave them out of the check."""
    monkeypatch.setattr(project, "PACKAGE", copy.parent / "empty")
    (copy.parent / "empty" / "papers").mkdir(parents=True)
    evidence.update_readme(evidence.ledgers())
    return copy


def test_check_finds_nothing_wrong_with_what_figures_left(only_toy, capsys):
    assert check(capsys) == (0, ["everything fits"])


def test_check_finds_an_edited_result(only_toy, capsys):
    path = sorted(only_toy.glob("figures/toy/results/*/scores.csv"))[0]
    path.write_text(path.read_text().replace("end,", "end,9", 1))
    code, said = check(capsys)
    assert code == 1
    assert (
        f"figures/toy/results/{path.parent.name}: scores.csv does not match its digest; compute the run again" in said
    )


def test_check_finds_a_resealed_result_by_its_consequences(only_toy, capsys):
    path = sorted(only_toy.glob("figures/toy/results/*/scores.csv"))[0]
    path.write_text(path.read_text().replace("end,", "end,9", 1))
    seal(path.parent)
    code, said = check(capsys)
    assert code == 1
    assert "figures/toy/scores.csv: differs from the results; redraw the figures" in said


@pytest.mark.parametrize("name", ["walk.csv", "walk.png", "walk.json"])
def test_check_finds_a_figure_that_does_not_fit_its_certificate(only_toy, capsys, name):
    path = only_toy / "figures" / "toy" / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    code, said = check(capsys)
    assert code == 1
    assert said[0].startswith("figures/toy/walk.")
    assert "draw the figure again" in said[0]


def test_check_finds_a_figure_without_its_results(only_toy, capsys):
    shutil.rmtree(sorted(only_toy.glob("figures/toy/results/*"))[0])
    code, said = check(capsys)
    assert code == 1
    assert any(line.startswith("figures/toy/walk.json: rests on results that are not committed") for line in said)


def test_check_finds_a_reproduced_claim_whose_rule_came_later(only_toy, capsys, monkeypatch):
    for path in only_toy.glob("figures/toy/results/*/settings.json"):
        settings = json.loads(path.read_text())
        settings["rules_digest"]["T1"] = "another rule"
        files.write_json(path, settings)
        seal(path.parent)
        assert not results.problems(path.parent)
    (row, _) = evidence.ledger("toy")
    assert row["label"] == "post hoc"
    assert row["status"] != "reproduced"
    code, said = check(capsys)
    assert code == 1
    assert "README.md: its verdict table differs from the ledger; run `replicate figures --redraw`" in said
    row["status"], row["label"] = "reproduced", ""  # a judge that overlooks it is caught as well
    monkeypatch.setattr(evidence, "ledgers", lambda **places: {"toy": [row]})
    _, said = check(capsys)
    assert "toy T1: reproduced, but its rule is post hoc for 4 run(s)" in said


def test_check_finds_an_edited_readme(only_toy, capsys):
    path = only_toy / "README.md"
    path.write_text(path.read_text().replace("✓ reproduced", "✗ contradicted"))
    differs = "README.md: its verdict table differs from the ledger; run `replicate figures --redraw`"
    assert check(capsys) == (1, [differs, "1 finding(s)"])
    path.write_text("# Toy\n")
    assert check(capsys)[1][0] == "README.md: has no block between <!-- generated:verdicts --> and <!-- end -->"
    path.unlink()
    assert check(capsys) == (1, ["README.md: is missing", "1 finding(s)"])


def test_claims_are_json_for_every_paper(only_toy, capsys):
    assert main(["claims", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["id"], row["status"]) for row in found["toy"]] == [("T1", "reproduced"), ("T2", "blocked")]


def test_a_paper_without_claims_is_one_line(toy_project, capsys, monkeypatch, tmp_path):
    paper = tmp_path / "paper"
    shutil.copytree(toy.HERE, paper)
    (paper / "claims.toml").unlink()
    monkeypatch.setenv("REPLICATION_EXTRA_PAPERS", f"toy:{paper / 'experiments.py'}")
    assert main(["claims", "--paper", "toy"]) == 2
    error = capsys.readouterr().err
    assert "every paper folder has a claims.toml" in error
    assert error.count("\n") == 1


def test_papers_come_in_the_order_of_their_notebooks(toy_project):
    for name in ("alpha", "beta", "gamma"):
        (project.PACKAGE / "papers" / name).mkdir()
        (project.PACKAGE / "papers" / name / "experiments.py").touch()
    for name in ("02_alpha", "01_gamma"):
        (toy_project / "notebooks" / f"{name}.py").touch()
    assert list(discovery.papers()) == ["gamma", "alpha", "beta", "toy"]
