"""The run store: keys, blocks, checkpoints, damaged results, locks and committed copies."""

import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from toy_paper import project as toy

from replication.orchestration import (
    checkpoint,
    discovery,
    ensure,
    files,
    load_curves,
    lock,
    plan,
    provenance,
    results,
    table,
)
from replication.orchestration.plan import Result
from replication.orchestration.work import StoredRun, execute
from replication.seeding import stream
from replication.settings import BadInput
from replication.stats import claims


@pytest.fixture
def walk(monkeypatch):
    monkeypatch.setenv("REPLICATION_EXTRA_PAPERS", toy.PAPER)
    monkeypatch.setenv("REPLICATION_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # a save at every step would wait for the disk each time
    return discovery.experiments("toy", "walk")[0]


@pytest.fixture
def said():
    return []


@pytest.fixture
def sweep(walk, tmp_path, said):
    def go(profile="quick", cluster="inline", **options):
        folders = {"runs": tmp_path / "runs", "figures": tmp_path / "figures"}
        return ensure(walk, profile, **folders, cluster=cluster, progress=said.append, **options)

    return go


def only_run(tmp_path, name="walk-slow-s0-4-*"):
    (folder,) = (tmp_path / "runs" / "toy").glob(name)
    return folder


# ---- keys and blocks


def test_seeds_come_in_fixed_blocks():
    assert plan.blocks(range(12)) == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9), (10, 11)]
    assert plan.blocks([7, 3]) == [(3,), (7,)]
    for bad in ([-1], [1, 1], [0.5]):
        with pytest.raises(BadInput, match="seeds must be"):
            plan.blocks(bad)


def test_more_seeds_add_runs_and_keep_the_old_keys(walk):
    few, many = plan.specs(walk, "full", 5), plan.specs(walk, "full", 20)
    assert {spec.key for spec in few} < {spec.key for spec in many}
    assert len(few) == 2
    assert len(many) == 8


def test_key_changes_with_what_a_result_depends_on_and_only_with_that(walk):
    spec = plan.specs(walk, "quick")[0]
    facts = {name: getattr(spec, name) for name in spec.__dataclass_fields__}
    for name, other in {
        "function": "other", "version": 2, "settings": {"steps": 1}, "seeds": (0,), "data": "x", "paper": "other",
    }.items():  # fmt: skip
        assert plan.RunSpec(**{**facts, name: other}).key != spec.key, name
    for name, other in {"experiment": "other", "arm": "renamed", "cost": 3.0}.items():
        assert plan.RunSpec(**{**facts, name: other}).key == spec.key, name


def test_data_files_enter_the_key(tmp_path):
    file = tmp_path / "profile.csv"
    file.write_text("1")
    first = plan.data_digest((str(file),))
    file.write_text("22")
    assert plan.data_digest((str(file),)) != first
    with pytest.raises(BadInput, match=r"data file .* is missing"):
        plan.data_digest((str(tmp_path / "no.csv"),))


def test_unknown_paper_and_experiment_are_one_line(walk):
    with pytest.raises(BadInput, match="did you mean toy"):
        discovery.experiments("tyo")
    with pytest.raises(BadInput, match="did you mean walk"):
        discovery.experiments("toy", "wlak")


# ---- checkpoints


def test_checkpoint_returns_what_was_saved(tmp_path):
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
    optimiser.param_groups[0]["params"][0].sum().backward()
    optimiser.step()
    rng = stream("a test", 3)
    rng.normal(size=5)
    state = {
        "arrays": [np.arange(6).reshape(2, 3).T, np.float32(2.5), np.array(7), np.array([True, False])],
        "adam": optimiser.state_dict(),
        "torch": torch.get_rng_state(),
        "rng": rng,
        "plain": {"none": None, "pair": (1, "two"), 3: float("inf"), "big": 2**100},
    }
    checkpoint.save(tmp_path / "c", state, step=4)
    back, facts = checkpoint.load(tmp_path / "c")
    assert facts == {"step": 4}
    assert back["plain"] == state["plain"]
    for kept, original in zip(back["arrays"], state["arrays"], strict=True):
        assert kept.dtype == original.dtype
        assert kept.shape == original.shape
        assert np.array_equal(kept, original)
    assert torch.equal(back["adam"]["state"][0]["exp_avg"], state["adam"]["state"][0]["exp_avg"])
    assert back["adam"]["param_groups"] == state["adam"]["param_groups"]
    assert torch.equal(back["torch"], state["torch"])
    assert back["rng"].normal() == rng.normal()


def test_checkpoint_refuses_what_it_cannot_hold_and_keeps_the_previous_one(tmp_path):
    checkpoint.save(tmp_path / "c", {"x": 1})
    with pytest.raises(TypeError, match="cannot hold set"):
        checkpoint.save(tmp_path / "c", {"x": {1, 2}})
    assert checkpoint.load(tmp_path / "c") == ({"x": 1}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_torn_checkpoint_counts_as_none(tmp_path):
    checkpoint.save(tmp_path / "c", {"x": np.arange(100)})
    content = (tmp_path / "c").read_bytes()
    for size in (0, 5, len(content) // 2, len(content) - 1):
        (tmp_path / "c").write_bytes(content[:size])
        assert checkpoint.load(tmp_path / "c") is None


def test_checkpoint_waits_for_its_interval(walk, tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATION_CHECKPOINT_SECONDS", "1000")
    held = lock.Lock(tmp_path / "lock")
    held.acquire()
    run = StoredRun(tmp_path, held)
    run.checkpoint(1, lambda: pytest.fail("asked for a state before it was due"))
    held.release()
    assert not (tmp_path / "checkpoint.safetensors").exists()


# ---- resuming


def test_interrupted_run_goes_on_and_gives_equal_bytes(walk, sweep, tmp_path, monkeypatch):
    sweep()
    whole = toy.finished_files(tmp_path / "runs")
    folder = only_run(tmp_path)
    for name in ("done.json", "scores.csv", "curves.npz", "metrics.jsonl", "policy.safetensors"):
        (folder / name).unlink()
    real, calls = StoredRun.checkpoint, []

    def stops_at_seven(self, step, make_state):
        real(self, step, make_state)
        if step == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(StoredRun, "checkpoint", stops_at_seven)
    with pytest.raises(KeyboardInterrupt):
        execute(str(folder))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "mean": 0.5}\n{"step": 8, "me')  # logged after the checkpoint, then torn
    monkeypatch.setattr(StoredRun, "checkpoint", lambda *args: calls.append(args[1]) or real(*args))
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 9
    outcome = execute(str(folder))
    assert outcome.status == "finished"
    assert outcome.resumed_at == 7
    assert calls == [8, 9, 10]
    assert toy.finished_files(tmp_path / "runs") == whole
    logged = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in logged] == list(range(10))


def test_finished_run_has_no_checkpoint_and_is_not_computed_again(sweep, tmp_path, monkeypatch):
    first = sweep()
    assert not list((tmp_path / "runs").glob("*/*/checkpoint*"))
    assert not list((tmp_path / "runs").glob("*/*/lock"))
    monkeypatch.setenv("TOY_TRACE", str(tmp_path / "trace"))
    assert sweep().equals(first)
    assert toy.steps(tmp_path / "trace") == []


@pytest.mark.parametrize("renames", range(1, 24, 3))
def test_killed_at_any_rename_the_next_start_finishes_with_equal_bytes(walk, sweep, tmp_path, monkeypatch, renames):
    sweep("full")
    whole = toy.finished_files(tmp_path / "runs") | toy.finished_files(tmp_path / "figures")
    for folder in (tmp_path / "runs", tmp_path / "figures"):
        shutil.rmtree(folder)
    real, left = os.replace, iter(range(renames))

    def dies(source, target):
        if next(left, None) is None:
            raise SystemExit("killed")
        real(source, target)

    monkeypatch.setattr(os, "replace", dies)
    monkeypatch.setenv("REPLICATION_CHECKPOINT_SECONDS", "1000")
    with pytest.raises(SystemExit):
        sweep("full")
    monkeypatch.setattr(os, "replace", real)
    for folder in {path.parent for path in tmp_path.glob("runs/*/*/*")} - {
        path.parent for path in tmp_path.glob("runs/*/*/done.json")
    }:
        (folder / ".scores.csv.7.tmp").write_text("torn")  # a real kill leaves its temporary file
    sweep("full")
    assert toy.finished_files(tmp_path / "runs") | toy.finished_files(tmp_path / "figures") == whole
    assert not list(tmp_path.glob("**/*.tmp"))


# ---- damage


@pytest.mark.parametrize("name", ["scores.csv", "curves.npz", "settings.json", "done.json"])
@pytest.mark.parametrize("harm", ["truncated", "edited", "removed"])
def test_damaged_result_is_noticed_and_redone(sweep, tmp_path, said, name, harm):
    first = sweep()
    whole = toy.finished_files(tmp_path / "runs")
    path = only_run(tmp_path) / name
    content = path.read_bytes()
    changed = {
        "truncated": content[: len(content) // 2],
        "edited": content[:30] + bytes([content[30] ^ 1]) + content[31:],
    }
    path.unlink() if harm == "removed" else path.write_bytes(changed[harm])
    said.clear()
    assert sweep().equals(first)
    assert toy.finished_files(tmp_path / "runs") == whole
    assert not results.problems(only_run(tmp_path))
    if (name, harm) != ("done.json", "removed"):  # without its mark a run is unfinished, not damaged
        assert sum("refused and redone" in line for line in said) == 1


def test_result_without_its_mark_is_not_finished(walk, sweep, tmp_path):
    sweep()
    (only_run(tmp_path) / "done.json").unlink()
    missing = sweep(cluster="none")
    assert set(missing["arm"]) == {"fast drift"}


# ---- committed copies


def test_full_runs_are_exported_and_read_back_without_the_store(walk, sweep, tmp_path, monkeypatch):
    first = sweep("full")
    curves = load_curves(walk, "full", runs=tmp_path / "runs", figures=tmp_path / "figures")
    results = sorted((tmp_path / "figures" / "toy" / "results").iterdir())
    assert [path.name for path in results] == sorted({*first["key"]})
    assert sorted(path.name for path in results[0].iterdir()) == [
        "curves.npz", "done.json", "scores.csv", "settings.json",
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "runs")
    monkeypatch.setenv("TOY_TRACE", str(tmp_path / "trace"))
    assert sweep("full").equals(first)
    assert toy.steps(tmp_path / "trace") == []
    again = load_curves(walk, "full", runs=tmp_path / "runs", figures=tmp_path / "figures")
    assert np.array_equal(again["slow"]["path"], curves["slow"]["path"])
    assert again["slow"]["path"].shape == (10, 40)
    assert list(again["slow"]["_seeds"]) == list(range(10))
    assert json.loads((results[0] / "settings.json").read_text())["environment"]["wall_seconds"] > 0


def test_quick_runs_are_not_exported(sweep, tmp_path):
    sweep("quick")
    assert not (tmp_path / "figures").exists()


def test_edited_committed_result_is_refused_and_redone(sweep, tmp_path, said):
    first = sweep("full")
    whole = toy.finished_files(tmp_path / "figures")
    shutil.rmtree(tmp_path / "runs")
    (path, *_) = sorted((tmp_path / "figures").glob("toy/results/*/scores.csv"))
    original = path.read_text()
    path.write_text(original.replace("end,", "end,9", 1))
    said.clear()
    assert path.parent.name not in set(sweep("full", cluster="none")["key"])
    assert any("scores.csv does not match its digest" in line for line in said)
    assert sweep("full").equals(first)
    assert path.read_text() == original
    assert toy.finished_files(tmp_path / "figures") == whole


def test_edited_rules_of_a_committed_result_are_noticed(sweep, tmp_path):
    sweep("full")
    (path, *_) = sorted((tmp_path / "figures").glob("toy/results/*/settings.json"))
    settings = json.loads(path.read_text())
    settings["rules_digest"]["T1"] = "abc"
    path.write_text(json.dumps(settings))
    assert results.problems(path.parent) == ["settings.json does not match its digest"]


def test_equal_curves_give_equal_bytes_and_long_ones_are_thinned_alike():
    rng = stream("thinning")
    curves = {"noise": rng.normal(size=(5, 20_000)), "_step": np.arange(20_000), "day": rng.normal(size=(5, 366, 9))}
    small = files.thinned(curves)
    assert small["noise"].shape == (5, len(small["_step"]))
    assert small["_step"][[0, -1]].tolist() == [0, 19_999]
    assert small["noise"].dtype == np.float32
    assert np.array_equal(small["noise"], curves["noise"].astype(np.float32)[:, small["_step"]])
    assert small["day"].shape == (5, 366, 9)
    assert files.npz_bytes(small) == files.npz_bytes(dict(reversed(small.items())))
    with pytest.raises(ValueError, match="Object arrays"):
        files.npz_bytes({"x": np.array([{}])})


def test_changed_source_is_a_warning_not_a_silent_reuse(sweep, said, monkeypatch):
    sweep()
    monkeypatch.setattr("replication.orchestration.provenance.source_digest", lambda paper: "changed")
    said.clear()
    sweep()
    assert said == [
        "2 finished run(s) were computed by an earlier state of the source and are used as they are; "
        "raise an experiment's version to redo its runs"
    ]


def test_the_source_of_a_paper_is_what_its_runs_come_to_import():
    names = {path.name for path in provenance.sources("voltage_control")}
    assert {"experiments.py", "arms.py", "ppo.py", "voltage_worlds.py", "power_flow_kernel.py", "profiles.py"} <= names
    assert not names & {"registry.py", "figures.py", "networked_mdp.py", "store.py", "judging.py"}


def test_rules_are_noted_when_a_run_starts_and_stay_as_they_were(walk, tmp_path, monkeypatch):
    path = shutil.copy(discovery.claims_file("toy"), tmp_path)
    monkeypatch.setattr(discovery, "claims_file", lambda paper: path)
    noted = claims.rules_digests(path)
    folders = {"runs": tmp_path / "runs", "figures": tmp_path / "figures"}
    scores = ensure(walk, "smoke", **folders, cluster="inline", progress=lambda line: None)
    assert set(map(str, scores.attrs["rules"].values())) == {str(noted)}
    Path(path).write_text(Path(path).read_text().replace("min_seeds = 10", "min_seeds = 4"))
    assert discovery.rules_digest("toy") != noted
    again = ensure(walk, "smoke", **folders, cluster="inline", progress=lambda line: None)
    assert again.attrs["rules"] == scores.attrs["rules"]


# ---- the score table


def test_score_table_is_tidy(walk, sweep):
    scores = sweep("full")
    assert list(scores.columns) == ["experiment", "arm", "drift", "seed", "metric", "value", "key"]
    assert len(scores) == 2 * 10 * 2
    end = scores[scores["metric"] == "end"].pivot(index="seed", columns="arm", values="value")
    assert np.allclose(end["fast drift"] - end["slow"], 40 * 0.4)  # same draws, other drift
    assert scores.attrs["wall_seconds"] > 0


def test_result_of_wrong_shape_is_named(walk):
    spec = plan.specs(walk, "quick")[0]
    with pytest.raises(ValueError, match=r"score 'a' must have shape \(5,\)"):
        results.checked(Result({"a": np.zeros(4)}), spec)
    with pytest.raises(ValueError, match="curve 'c' must start with 5 seeds"):
        results.checked(Result({"a": np.zeros(5)}, {"c": np.zeros((3, 5)), "_x": np.zeros(2)}), spec)
    with pytest.raises(ValueError, match="no scores"):
        results.checked(Result({}), spec)


def test_policy_is_kept_without_pickle(sweep, tmp_path):
    scores = sweep()
    arrays = load_file(only_run(tmp_path) / "policy.safetensors")
    assert files.read_json(only_run(tmp_path) / "policy.json") == {"kind": "walk"}
    end = scores[(scores["arm"] == "slow") & (scores["metric"] == "end")]["value"]
    assert np.array_equal(arrays["weight"], end)


# ---- locks


def test_lock_has_one_holder_and_is_free_after_release(tmp_path):
    first, second = lock.Lock(tmp_path / "lock"), lock.Lock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()
    assert not (tmp_path / "lock").exists()


def test_lock_of_a_dead_process_is_taken_over(tmp_path):
    code = f"from pathlib import Path; from replication.orchestration.lock import Lock; import os\n" \
        f"assert Lock(Path({str(tmp_path / 'lock')!r})).acquire(); os._exit(9)"  # fmt: skip
    assert toy.python("-c", code).wait() == 9
    assert (tmp_path / "lock").exists()
    assert not lock.is_held(tmp_path / "lock")
    assert lock.Lock(tmp_path / "lock").acquire()


def test_silent_holder_on_another_machine_loses_the_lock_and_notices(tmp_path):
    path = tmp_path / "lock"
    far = lock.Lock(path)
    assert far.acquire()
    path.write_text(json.dumps({**lock.read(path), "host": "elsewhere"}))
    assert not lock.Lock(path).acquire()
    os.utime(path, (time.time() - 1000, time.time() - 1000))
    near = lock.Lock(path)
    assert near.acquire()
    with pytest.raises(lock.LockLost, match="taken over"):
        far.require()
    far.release()
    assert near.held()
    near.release()


def test_heartbeat_renews_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.01)
    held = lock.Lock(tmp_path / "lock")
    held.acquire()
    os.utime(held.path, (0, 0))
    toy.eventually(lambda: time.time() - held.path.stat().st_mtime < 100, "a heartbeat")
    assert held.held()
    held.release()


def test_run_that_lost_its_lock_writes_nothing(walk, sweep, tmp_path, monkeypatch):
    spec = plan.specs(walk, "quick")[0]
    folder = table.open_store(tmp_path / "runs", tmp_path / "figures").prepare(spec)
    monkeypatch.setattr(lock.Lock, "held", lambda self: False)
    outcome = execute(str(folder))
    assert outcome.status == "failed"
    assert "LockLost" in outcome.error
    assert {path.name for path in folder.iterdir()} <= {"settings.json", "metrics.jsonl", "error.txt", "lock"}


def test_locked_run_is_left_to_its_holder(walk, tmp_path):
    spec = plan.specs(walk, "quick")[0]
    folder = table.open_store(tmp_path / "runs", tmp_path / "figures").prepare(spec)
    holder = lock.Lock(folder / "lock")
    holder.acquire()
    assert execute(str(folder)).status == "busy"
    holder.release()
    assert execute(str(folder)).status == "finished"


def test_curves_that_a_block_lacks_are_left_out():
    def block(seed, **curves):
        return SimpleNamespace(curves=lambda: {"_size": np.arange(2)} | curves, settings={"seeds": [seed]})

    both = [block(0, time=np.ones((1, 2)), error=np.ones((1, 2))), block(1, time=np.zeros((1, 2)))]
    for blocks in (both, both[::-1]):
        found = table._stack(blocks)
        assert set(found) == {"_size", "_seeds", "time"}
        assert found["time"].shape == (2, 2)
