"""`ensure`: what is missing is computed once, errors are shown and do not stop the rest, budgets end cleanly."""

import threading
import time

import pytest
from toy_paper import project as toy

from replication.orchestration import clusters, costs, discovery, ensure, lock, plan, results, scheduler, store, table
from replication.orchestration.progress import Progress, duration
from replication.orchestration.scheduler import RunsFailed
from replication.orchestration.work import Outcome
from replication.settings import BadInput


@pytest.fixture
def toy_paper(monkeypatch):
    monkeypatch.setenv("REPLICATION_EXTRA_PAPERS", toy.PAPER)
    monkeypatch.setenv("REPLICATION_CHECKPOINT_SECONDS", "0")
    return {experiment.name: experiment for experiment in discovery.experiments("toy")}


@pytest.fixture
def said():
    return []


@pytest.fixture
def places(tmp_path, said):
    return {"runs": tmp_path / "runs", "figures": tmp_path / "figures", "progress": said.append}


def test_lines_count_runs_and_foresee_the_end(toy_paper, places, said):
    ensure(toy_paper["walk"], "smoke", **places, cluster="inline")
    assert [line.split()[:2] for line in said] == [["[1/2]", "walk-slow-s0-1"], ["[2/2]", "walk-fast-drift-s0-1"]]
    assert all("eta" in line for line in said)
    said.clear()
    ensure(toy_paper["walk"], "smoke", **places, cluster="inline")
    assert said == []


def test_eta_follows_the_cost_of_what_is_left(toy_paper, said, monkeypatch):
    clock = iter([100.0, 110.0, 110.0, 110.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    specs = plan.specs(toy_paper["walk"], "quick")
    heavy = [plan.RunSpec(**{**vars(spec), "cost": cost}) for spec, cost in zip(specs, (10.0, 30.0), strict=True)]
    Progress(heavy, said.append).finished(heavy[0], Outcome("finished", 9.0))
    assert said == ["[1/2] walk-slow-s0-4 9.0 s, eta 30 s"]  # 10 s for a quarter of the work, so 30 s for the rest


@pytest.mark.parametrize("seconds, text", [(2.34, "2.3 s"), (412, "412 s"), (1080, "18 min"), (11_520, "3.2 h")])
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


def test_first_exception_is_shown_and_the_others_go_on(toy_paper, places, said, tmp_path):
    with pytest.raises(RunsFailed) as caught:
        ensure(list(toy_paper.values()), "smoke", **places, cluster="inline")
    failed = [line for line in said if "FAILED" in line]
    assert len(failed) == 1
    assert "broken-broken-s0-1 FAILED: ZeroDivisionError: the walk fell over at step 4" in failed[0]
    log = tmp_path / "runs" / "toy" / next((tmp_path / "runs" / "toy").glob("broken-broken-*")).name / "error.txt"
    assert str(log) in failed[0]
    assert 'raise ZeroDivisionError(f"the walk fell over at step {step}")' in log.read_text()
    assert list(caught.value.failures) == ["broken-broken-s0-1"]
    assert "1 run(s) failed" in str(caught.value)
    found = table.score_table(toy_paper.values(), "smoke", table.open_store(places["runs"], places["figures"]))
    assert set(found["arm"]) == {"slow", "fast drift", "sound"}


def test_clusters_give_equal_bytes_and_errors(toy_paper, places, tmp_path):
    failures = []
    for cluster in ("inline", "local"):
        with pytest.raises(RunsFailed) as caught:
            ensure(list(toy_paper.values()), "smoke", **{**places, "runs": tmp_path / cluster}, cluster=cluster)
        failures.append({name: outcome.error for name, outcome in caught.value.failures.items()})
    assert failures[0] == failures[1] == {"broken-broken-s0-1": "ZeroDivisionError: the walk fell over at step 4"}
    assert len(toy.finished_files(tmp_path / "local")) == 3 * 4 + 1
    assert toy.finished_files(tmp_path / "local") == toy.finished_files(tmp_path / "inline")


def test_failed_run_is_tried_again_by_the_same_command(toy_paper, places, said, tmp_path, monkeypatch):
    for _ in range(2):
        with pytest.raises(RunsFailed):
            ensure(toy_paper["broken"], "smoke", **places, cluster="inline")
    assert said[-1].startswith("[1/1] broken-broken")


def test_budget_stops_at_the_next_checkpoint_and_the_same_command_goes_on(
    toy_paper, places, said, monkeypatch, tmp_path
):
    whole = ensure(toy_paper["walk"], "quick", **{**places, "runs": tmp_path / "whole"}, cluster="inline")
    said.clear()
    with monkeypatch.context() as patch:
        toy.clock_of_steps(patch, tmp_path / "trace")
        part = ensure(toy_paper["walk"], "quick", **places, cluster="inline", budget=3.5)
    assert part.empty
    assert said == ["budget spent: 2 of 2 run(s) left, 1 of them begun; the same command goes on from here"]
    (begun,) = places["runs"].glob("*/*")  # the run that was not begun left nothing
    assert store.progress(begun)["step"] == 4
    said.clear()
    done = ensure(toy_paper["walk"], "quick", **places, cluster="inline", budget="1h")
    assert "resumed at step 4" in said[0]
    assert done.equals(whole)


@pytest.mark.parametrize("budget", ["60", "soon", "-1min", "1 d", ""])
def test_malformed_budget_is_one_line(budget):
    with pytest.raises(BadInput, match="a budget is a number with s, min or h"):
        scheduler.seconds_of(budget)


def test_budgets_are_read():
    assert [scheduler.seconds_of(text) for text in ("90s", "60min", "1.5 h", 7)] == [90, 3600, 5400, 7]


def test_cluster_none_computes_nothing_and_says_what_is_missing(toy_paper, places, said, tmp_path):
    assert ensure(toy_paper["walk"], "full", **places, cluster="none").empty
    assert said == ["4 of 4 run(s) are not there: not run"]
    assert not list(tmp_path.iterdir())


def test_second_driver_waits_for_the_first_and_computes_nothing_twice(toy_paper, places, said, monkeypatch, tmp_path):
    monkeypatch.setenv("TOY_PAUSE", "0.02")
    monkeypatch.setenv("TOY_TRACE", str(tmp_path / "trace"))
    first = threading.Thread(target=ensure, args=(toy_paper["walk"], "quick"), kwargs={**places, "cluster": "inline"})
    first.start()
    toy.eventually(lambda: bool(toy.steps(tmp_path / "trace")), "the first driver's first step")
    ensure(toy_paper["walk"], "quick", **places, cluster="inline")
    first.join()
    steps = [step for _, _, step in toy.steps(tmp_path / "trace")]
    assert sorted(steps) == sorted([*range(10), *range(10)])
    assert any("waiting for 1 run(s) that another process computes" in line for line in said)


def test_run_whose_holder_dies_is_taken_over_while_waiting(toy_paper, places, said):
    spec = plan.specs(toy_paper["walk"], "smoke")[0]
    folder = table.open_store(places["runs"], places["figures"]).prepare(spec)
    holder = lock.Lock(folder / "lock")
    holder.acquire()
    threading.Timer(0.5, holder.release).start()
    found = ensure(toy_paper["walk"], "smoke", **places, cluster="inline")
    assert set(found["arm"]) == {"slow", "fast drift"}
    assert any("waiting" in line for line in said)


def test_unknown_cluster_and_missing_scheduler_file_are_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"unknown cluster 'lokal' \(did you mean local\?\)"):
        clusters.check("lokal")
    with pytest.raises(BadInput, match=r"scheduler file .* is missing or unreadable"):
        clusters.check(f"file:{tmp_path / 'no.json'}")


def test_costs_are_learned_from_finished_runs(toy_paper, places, monkeypatch):
    walk, there = toy_paper["walk"], table.open_store(places["runs"], places["figures"])
    (before,) = costs.estimates([walk], "full", there)
    assert before.seconds is None
    assert before.basis.startswith("unknown")
    ensure(walk, "quick", **places, cluster="inline")
    seconds = [results.read(folder).environment()["wall_seconds"] for folder in places["runs"].glob("*/*")]
    (after,) = costs.estimates([walk], "full", there)
    assert after.missing == after.runs == 4
    assert after.seconds == pytest.approx(sum(seconds) / (2 * 5 * 10) * (2 * 10 * 40))
    (done,) = costs.estimates([walk], "quick", there)
    assert (done.missing, done.seconds) == (0, 0.0)
    (elsewhere,) = costs.estimates([toy_paper["broken"]], "quick", there)
    assert elsewhere.seconds == pytest.approx(sum(seconds) / 10 * 4)  # the same function without a cost: per seed
    assert elsewhere.basis.startswith("roughly")
