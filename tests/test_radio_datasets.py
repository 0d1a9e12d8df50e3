"""Radio datasets: logs and rewards agree with the worlds, tiers are what they say, requests share pools."""

import errno
import os
import subprocess
import sys
import threading
import time
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
from oracles import radio as slow
from refusals import refused

import replication
from replication.__main__ import main
from replication.data import offline, offline_files
from replication.data.offline import OfflineData
from replication.envs import radio_logs, schedulers
from replication.envs.radio_settings import RadioSettings
from replication.papers.radio_resource import collection, dataset_command, datasets, tiers
from replication.papers.radio_resource.dataset_settings import PARTS, DatasetSettings
from replication.seeding import keys
from replication.settings import BadInput, digest

WORLD, HORIZON = "radio/3x8", 30
SMALL = {"horizon": HORIZON, "warm_up": 10, "sinusoids": 4}
VARIANTS = {
    "plain": {},
    "everything observed": {"observe_snr": True, "observe_activity": True, "observe_others": True},
    "users come and go": {"departure_rate": 20.0, "arrival_rate": 20.0},
    "walkers hand over": {"walk_speed": 30.0, "sinr": "measured", "encoding": "decibel"},
}


def logged(**options) -> OfflineData:
    """Six random episodes."""
    environment = RadioSettings(**{**SMALL, **options})
    world = replication.make(WORLD, **environment.plain())
    log = collection.collect(WORLD, environment, collection.random_actions, 6, "logs of a test", 0)
    return log.data({"environment": radio_logs.environment(world), "observation": radio_logs.observation_card(world)})


def replayed(data: OfflineData, **options):
    """Results of every step, and the masks after it, when the logged actions are taken in a world with `options`."""
    world = replication.make(WORLD, num_envs=data.episodes, **{**SMALL, **options})
    world.reset(np.array([keys("logs of a test layouts", 0, k, count=1)[0] for k in range(data.episodes)], np.uint64))
    steps = (world.step(data.action[:, step, :, None].astype(np.int64)) for step in range(data.horizon))
    return [(*step, world.action_mask().copy()) for step in steps]


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_logs_are_what_the_world_says(options):
    data, steps = logged(**options), replayed(logged(**options), **options)
    offline.check(data)
    for t, (observation, reward, terminated, truncated, info, mask) in enumerate(steps):
        np.testing.assert_array_equal(data.observation[:, t + 1], observation)
        np.testing.assert_array_equal(data.mask[:, t + 1], mask)
        np.testing.assert_array_equal(data.reward[:, t], reward[:, 0].astype(np.float32))
        np.testing.assert_array_equal(data.logs["weights"][:, t], info["weights"].astype(np.float32))
        np.testing.assert_array_equal(data.logs["served"][:, t], info["served"])
        for episode, ap in np.ndindex(data.episodes, data.num_agents):
            user = info["served"][episode, ap]
            rate = info["rates"][episode, user] if user >= 0 else 0.0
            assert data.logs["rates"][episode, t, ap] == np.float32(rate)
        assert not data.terminated[:, t].any()
        assert not terminated.any()
        assert truncated.all() == (t == HORIZON - 1)
    assert (data.logs["served"] < 0).any()


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_scores_from_logs_are_the_worlds(options):
    data = logged(**options)
    info = replayed(data, **options)[-1][4]
    for name, values in radio_logs.scores(data, RadioSettings()).items():
        np.testing.assert_allclose(values, info[f"final_{name}"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("form", ["weighted_rate", "utility_gain"])
@pytest.mark.parametrize("fairness", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("options", [VARIANTS["plain"], VARIANTS["users come and go"]], ids=["plain", "come and go"])
def test_relabelled_rewards_are_what_another_world_pays(form, fairness, options):
    data = logged(**options)
    other = {"fairness": fairness, "reward": form, "reward_scale": 0.5, **options}
    found = radio_logs.relabel(data, RadioSettings(**{**SMALL, **other}))
    paid = np.stack([step[1][:, 0] for step in replayed(data, **other)], axis=1)
    np.testing.assert_allclose(found.reward, paid, rtol=2e-5, atol=2e-5)
    assert np.abs(found.reward - data.reward).max() > 0.01
    assert found.reward.dtype == np.float32
    assert found.card["paid"] == {"fairness": fairness, "form": form, "scale": 0.5}
    assert found.card["reward"]["mean"] == pytest.approx(float(paid.mean()), rel=1e-4)
    again = radio_logs.relabel(found, RadioSettings(**{**SMALL, **options}))
    np.testing.assert_allclose(again.reward, data.reward, rtol=1e-5, atol=1e-6)


def test_team_rewards_are_the_printed_sum():
    data = logged(**VARIANTS["users come and go"])
    found = radio_logs.team_rewards(data, RadioSettings(**SMALL, fairness=0.6))
    for episode, step in np.ndindex(found.shape):
        weights, rate = data.logs["weights"][episode, step], np.zeros(8)
        for user, own in zip(data.logs["served"][episode, step], data.logs["rates"][episode, step], strict=True):
            if user >= 0:
                rate[user] = own
        assert found[episode, step] == pytest.approx(slow.team_reward(weights, rate, 0.6), rel=1e-6)


def test_relabelling_refuses_what_it_cannot_do():
    data = logged()
    with refused("smoothing 0.01", "smoothing 0.05"):
        radio_logs.relabel(data, RadioSettings(**SMALL, smoothing=0.05))
    with refused("without the logs weights, served, rates"):
        radio_logs.relabel(OfflineData(data.observation, data.mask, data.action, data.reward, data.terminated),
                           RadioSettings(**SMALL))  # fmt: skip
    with refused("fairness", "less than or equal to 1", "1.5"):
        radio_logs.relabel(data, RadioSettings(**SMALL, fairness=1.5))


def test_only_what_shapes_transitions_is_the_environment():
    def name(world: str = WORLD, **options) -> str:
        return digest(radio_logs.environment(replication.make(world, **{**SMALL, **options})))

    same = [{"fairness": 0.1}, {"reward": "utility_gain"}, {"reward_scale": 2.0}, {"tail_weight": 1.0},
            {"sum_weight": 0.0}, {"tail_percentile": 50.0}, {"invalid": "refuse"}, {"layout_seed": 3}]  # fmt: skip
    other = [{"smoothing": 0.05}, {"area": 400.0}, {"warm_up": 11}, {"horizon": 31}, {"observe_snr": True},
             {"layout": "fixed"}, {"sinr": "measured"}, {"top_users": 2}]  # fmt: skip
    assert {name(**options) for options in same} == {name()}
    assert len({name(), name("radio/3x9"), *(name(**options) for options in other)}) == 2 + len(other)
    fixed = {"layout": "fixed"}
    assert name(**fixed, layout_seed=3) != name(**fixed)
    world = replication.make(WORLD, horizon=HORIZON)
    assert name(warm_up=None, sinusoids=25) == digest(radio_logs.environment(world))


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_the_observation_card_tells_which_numbers_fill_empty_ranks(options):
    data = logged(**options, top_users=4)
    card, empty, held = data.card["observation"], 0, 0
    assert len(card["names"]) == data.features
    for agent, feature in np.ndindex(data.num_agents, data.features):
        other, action = card["held_by"][agent][feature]
        if action >= 0:
            nobody = ~data.mask[:, :, other, action]
            empty += nobody.sum()
            assert (data.observation[:, :, agent, feature][nobody] == 0).all()
            assert nobody.all() or (data.observation[:, :, agent, feature][~nobody] != 0).any()
            held += (~nobody).sum()
    assert min(empty, held) > 0
    (sinr, low, high), (weight, *_) = card["grid"]
    assert (card["names"][sinr], card["names"][weight]) == ("SINR of rank 1", "weight of rank 1")
    assert low < np.median(data.observation[..., sinr]) < high


def test_episodes_do_not_depend_on_how_many_are_collected(monkeypatch):
    few, many = logged(), logged()
    monkeypatch.setattr(collection, "LANES", 4)
    environment = RadioSettings(**SMALL)
    many = collection.collect(WORLD, environment, collection.random_actions, 11, "logs of a test", 0).data({})
    for name in ("observation", "mask", "action", "reward"):
        np.testing.assert_array_equal(getattr(many, name)[:6], getattr(few, name))
    assert len(np.unique(many.observation[:, 0], axis=0)) == 11


def test_random_actions_are_uniform_among_the_valid_ones():
    data = logged(top_users=4)
    valid = data.mask[:, :-1].sum(axis=-1)
    for count in range(2, 6):
        chosen = data.action[valid == count]
        assert len(chosen) > 60
        share = np.bincount(chosen, minlength=5) / len(chosen)
        np.testing.assert_allclose(share[:count], 1 / count, atol=4 * np.sqrt(0.25 / len(chosen)))
        assert share[count:].sum() == 0


def settings(tier: str, episodes: int = 6, **changes) -> DatasetSettings:
    given = {"size": episodes * HORIZON, "world": WORLD, "environment": SMALL}
    return DatasetSettings(tier=tier, **{**given, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("datasets")


@pytest.mark.parametrize("tier", [*PARTS, "mixed"])
def test_every_tier_can_be_collected_and_read(folder, tier):
    data = datasets.dataset(settings(tier), folder)
    world = replication.make(WORLD, **SMALL)
    assert (data.size, data.horizon, data.num_agents) == (6 * HORIZON, HORIZON, world.num_agents)
    assert data.card["behaviour"]["tier"] == tier
    assert data.card["seeds"] == {"seed": 0}
    assert data.card["environment"] == radio_logs.environment(world)
    np.testing.assert_allclose(data.card["episodes"]["score"], radio_logs.scores(data, RadioSettings())["score"])
    assert data.card["scores"]["score"]["mean"] == pytest.approx(np.mean(data.card["episodes"]["score"]))
    assert len(np.unique(data.observation[:, 0], axis=0)) == 6
    assert main(["dataset", "--check", str(datasets.ensure(settings(tier), folder))]) == 0


def test_scripted_tiers_play_their_schedulers(folder):
    data = datasets.dataset(settings("heuristic-mix", 12, exploration=0.0), folder)
    names = np.array(data.card["episodes"]["behaviour"])
    for name in tiers.HEURISTICS:
        world = replication.make(WORLD, num_envs=4, **SMALL)
        purpose = f"dataset heuristic-mix {name} layouts"
        lane_keys = np.array([keys(purpose, 0, k, count=1)[0] for k in range(4)], np.uint64)
        played = schedulers.play(world, schedulers.make_controller(world, name), lane_keys, by_rank=True)
        found = np.array(data.card["episodes"]["score"])[names == name]
        np.testing.assert_allclose(sorted(found), sorted(played["score"]), rtol=1e-5)


def test_scripted_tiers_explore(folder):
    data = datasets.dataset(settings("heuristic-mix", 60, exploration=0.3), folder)
    some = data.take(np.flatnonzero(np.array(data.card["episodes"]["behaviour"]) == "full_reuse"))
    valid = some.mask[:, :-1].sum(axis=-1)
    assert np.mean(some.action != 1) == pytest.approx(np.mean(0.3 * (1 - 1 / valid)), abs=0.02)


def test_mixtures_hold_equal_parts_at_every_size(folder):
    for tier, parts in (("heuristic-mix", tiers.HEURISTICS), ("mixed", PARTS)):
        names = datasets.dataset(settings(tier, 24), folder).card["episodes"]["behaviour"]
        assert set(names) == set(parts)
        for size in range(1, 25):
            counts = [names[:size].count(part) for part in parts]
            assert max(counts) - min(counts) <= 2
        assert len({names.count(part) for part in parts}) == 1
    assert names != sorted(names, key=PARTS.index)


def test_the_mixed_tier_takes_the_beginnings_of_the_others(folder):
    data = datasets.dataset(settings("mixed", 24), folder)
    for part in PARTS:
        source = offline.load(datasets.ensure(settings(part, 24), folder), episodes=4)
        own = data.take(np.flatnonzero(np.array(data.card["episodes"]["behaviour"]) == part))
        order = [np.argsort(some.reward.sum(axis=1)) for some in (own, source)]
        np.testing.assert_array_equal(own.observation[order[0]], source.observation[order[1]])


def test_sizes_share_a_pool_and_are_nested(folder):
    large, small = settings("random", 9), settings("random", 4, pool=9 * HORIZON)
    assert datasets.ensure(large, folder) == datasets.ensure(small, folder)
    one, other = datasets.dataset(large, folder), datasets.dataset(small, folder)
    assert other.episodes == 4
    np.testing.assert_array_equal(one.action[:4], other.action)


def test_rewards_share_a_pool_and_are_relabelled(folder):
    environment = RadioSettings(**SMALL, fairness=0.2, reward_scale=1.0)
    other = settings("random", environment=environment)
    assert datasets.ensure(other, folder) == datasets.ensure(settings("random"), folder)
    data = datasets.dataset(settings("random"), folder)
    np.testing.assert_array_equal(datasets.dataset(other, folder).reward, radio_logs.relabel(data, environment).reward)
    assert datasets.dataset(other, folder).card["paid"] == {"fairness": 0.2, "form": "weighted_rate", "scale": 1.0}


def test_whatever_shapes_a_pool_makes_another_one():
    base = settings("heuristic-mix")
    online = {"updates_per_step": 2}
    changes = [
        {}, {"seed": 1}, {"world": "radio/2x8"}, {"environment__area": 400.0}, {"pool": 7 * HORIZON},
        {"exploration": 0.2}, {"tier": "random"}, {"tier": "sac-replay"}, {"tier": "dqn-replay"},
        {"tier": "sac-replay", "online": online},
        {"tier": "dqn-final"}, {"tier": "dqn-final", "epsilon": 0.3}, {"tier": "mixed"},
        {"tier": "mixed", "exploration": 0.3},
    ]  # fmt: skip
    changed = [base.but(**values) for values in changes]
    assert len({datasets.key(one) for one in changed}) == len(changed)
    same = [base, base.but(size=HORIZON, pool=6 * HORIZON), base.but(epsilon=0.3), base.but(online=online),
            base.but(environment__fairness=0.1)]  # fmt: skip
    assert len({datasets.key(one) for one in same}) == 1


def test_the_same_seed_collects_the_same_bytes(folder, tmp_path):
    for tier in ("random", "dqn-replay"):
        one, other = datasets.ensure(settings(tier), folder), datasets.ensure(settings(tier), tmp_path)
        assert one != other
        for path in one.iterdir():
            assert path.read_bytes() == (other / path.name).read_bytes()


def test_no_evaluation_layout_is_collected(folder):
    collected = {int(keys("dataset random random layouts", 0, k, count=1)[0]) for k in range(640)}
    judged = {int(key) for split in ("validation", "test") for key in keys(f"radio {split} layouts", 0, count=640)}
    assert len(collected) == 640
    assert not collected & judged


@pytest.mark.parametrize("backbone", ["sac", "dqn"])
def test_replay_is_the_second_half_and_final_the_policy_in_the_end(tmp_path, monkeypatch, backbone):
    steps, trained = [], []

    def watched(*given, record, **more):
        def keep(step):
            steps.append(step)
            record(step)

        trained.append(train_online(*given, record=keep, **more))
        return trained[-1]

    train_online = tiers.train_online
    monkeypatch.setattr(tiers, "train_online", watched)
    wanted = settings(f"{backbone}-replay", 8, online={"envs": 4})
    data = datasets.dataset(wanted, tmp_path)
    assert len(steps) == 4 * HORIZON
    seen = {}
    for block in (2, 3):
        for lane in range(4):
            block_steps = steps[block * HORIZON : (block + 1) * HORIZON]
            seen[block_steps[0].observation[lane].tobytes()] = [(step, lane) for step in block_steps]
    for k in range(8):
        for t, (step, lane) in enumerate(seen.pop(data.observation[k, 0].tobytes())):
            np.testing.assert_array_equal(data.observation[k, t], step.observation[lane])
            np.testing.assert_array_equal(data.mask[k, t + 1], step.next_mask[lane])
            np.testing.assert_array_equal(data.action[k, t], step.action[lane, :, 0])
            np.testing.assert_array_equal(data.logs["served"][k, t], step.info["served"][lane])
            assert data.reward[k, t] == np.float32(step.reward[lane, 0])
        np.testing.assert_array_equal(data.observation[k, -1], step.next_observation[lane])
    assert not seen

    final = datasets.dataset(wanted.but(tier=f"{backbone}-final", epsilon=0.0), tmp_path)
    policy = datasets.behaviour_policy(wanted, tmp_path)
    assert len(trained) == 1
    for name, array in policy.arrays().items():
        np.testing.assert_array_equal(array, trained[0].last.arrays()[name])
    best = np.stack([policy.act(final.observation[:, t], final.mask[:, t])[..., 0] for t in range(HORIZON)], axis=1)
    assert np.mean(best == final.action) == 1.0 if backbone == "dqn" else 0.2 < np.mean(best == final.action) < 1.0
    explorer = datasets.behaviour(wanted.but(tier=f"{backbone}-final", epsilon=0.0), (0, 1), tmp_path)
    world = replication.make(WORLD, num_envs=8, invalid="refuse", **SMALL)
    assert schedulers.play(world, explorer, keys("behaviour of a test", count=8), by_rank=True)["score"].shape == (8,)
    with refused("unknown tier of a single policy 'mixed'"):
        datasets.behaviour(wanted.but(tier="mixed"), (0,), tmp_path)


def test_one_collects_while_others_wait(tmp_path, monkeypatch):
    calls, collect = [], tiers.collected

    def slow(*given):
        calls.append(threading.get_ident())
        time.sleep(0.3)
        return collect(*given)

    monkeypatch.setattr(tiers, "collected", slow)
    monkeypatch.setattr(datasets, "WAIT", 0.01)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(datasets.ensure(settings("random"), tmp_path))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(found) == 4
    assert len(set(found)) == 1
    assert {path.name for path in tmp_path.iterdir()} - {".takeover"} == {found[0].name}


def test_a_pool_finished_just_before_the_lock_was_taken_is_kept(tmp_path):
    answers = iter([False, True, True])
    (tmp_path / "pool").mkdir()
    path = datasets.built(tmp_path / "pool", lambda: pytest.fail("collected again"), lambda: next(answers))
    assert path.is_dir()
    assert next(answers, None) is None


KILLED = """
import os, signal, sys
import replication
from replication.data import offline_files
from replication.papers.radio_resource import datasets
offline_files.write_manifest = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
datasets.ensure(datasets.DatasetSettings(**{settings}), {folder!r})
"""


def test_a_killed_collection_leaves_nothing_and_is_redone(tmp_path):
    wanted = settings("random")
    program = KILLED.format(settings=wanted.plain(), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert done.returncode == -9
    left = [path.name for path in tmp_path.iterdir()]
    assert any(name.endswith(".tmp") for name in left)
    assert any(name.endswith(".lock") for name in left)
    assert not any(name.startswith("random") and "lock" not in name for name in left)
    path = datasets.ensure(wanted, tmp_path)
    assert offline.load(path).episodes == 6
    assert {entry.name for entry in tmp_path.iterdir()} - {".takeover"} == {path.name}


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_pool_that_lost_files_is_collected_anew(tmp_path, harm):
    path = datasets.ensure(settings("random"), tmp_path)
    before = offline.load(path)
    harm(path / "episodes-0000.npz")
    with pytest.raises(BadInput):
        offline.load(path)
    after = offline.load(datasets.ensure(settings("random"), tmp_path))
    np.testing.assert_array_equal(before.action, after.action)


@pytest.mark.parametrize("tier, count", [("random", 1), ("sac-replay", 1), ("sac-final", 2), ("mixed", 7)])
def test_a_disk_that_is_too_small_is_noticed_before_collecting(tmp_path, tier, count):
    pool = 6 * tiers.episode_bytes(tiers.world_of(settings(tier)))
    with refused(f"{180 * count} transitions \\({count} missing pools\\) need 0", "0.[0-9] MB free", "ask for fewer"):
        datasets.ensure(settings(tier), tmp_path, free=lambda folder: count * pool - 1)
    assert [path for path in tmp_path.iterdir() if "takeover" not in path.name] == []
    path = datasets.ensure(settings("random"), tmp_path, free=lambda folder: 100_000)
    world = tiers.world_of(settings("random"))
    on_disk = sum(entry.stat().st_size for entry in path.glob("*.npz"))
    assert on_disk == pytest.approx(6 * tiers.episode_bytes(world), rel=0.1)


def test_pools_that_are_there_and_a_copy_elsewhere_need_no_space_here(tmp_path, monkeypatch):
    asked, pool = settings("random", pool=180), 6 * tiers.episode_bytes(tiers.world_of(settings("random")))
    here, copy = tmp_path / "pools", tmp_path / "copy"
    with refused("360 transitions", "1 missing pools and a copy", "pools' has"):
        datasets.require_space(asked, here, lambda folder: 2 * pool - 1, copy)
    datasets.require_space(asked, here, lambda folder: 2 * pool, copy)
    monkeypatch.setattr(datasets, "_disk", lambda folder: folder.name)
    datasets.require_space(asked, here, lambda folder: pool, copy)
    with refused("180 transitions", "copy' has"):
        datasets.require_space(asked, here, lambda folder: pool if folder == here else pool - 1, copy)
    datasets.ensure(asked, here)
    datasets.require_space(asked, here, lambda folder: 0)


def test_a_pool_and_its_copy_are_summed_before_collecting(tmp_path, monkeypatch):
    options = Namespace(tier="random", check=None, size=180, pool=None, seed=0, world=WORLD, more=SMALL,
                        out=str(tmp_path / "out"), runs=str(tmp_path / "runs"))  # fmt: skip
    pool = 6 * tiers.episode_bytes(tiers.world_of(settings("random")))
    with refused("360 transitions"):
        dataset_command.run(options, lambda folder: int(1.5 * pool))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "runs" / "datasets").exists()


@pytest.mark.parametrize("tier", ["random", "sac-replay"])
def test_a_disk_that_fills_up_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, tier):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(offline_files, "write_npz", full)
    with refused("disk of .* is full", "nothing was kept"):
        datasets.ensure(settings(tier), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if "takeover" not in path.name and path.is_dir()] == []


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"tier": "sac-finl"}, ["unknown tier 'sac-finl'", "did you mean sac-final"]),
        ({"size": HORIZON + 5}, ["size must be a multiple of the horizon 30", "got 35", "give 30 or 60"]),
        ({"size": 5}, ["size must be a multiple", "give 30$"]),
        ({"pool": HORIZON + 5}, ["pool must be a multiple"]),
        ({"pool": HORIZON}, ["size must be at most the pool's 30", "raise pool"]),
        ({"environment": {**SMALL, "fairness": 1.2}}, ["fairness", "less than or equal to 1", "got 1.2"]),
        ({"environment": {**SMALL, "fairness": -0.2}}, ["fairness", "greater than or equal to 0"]),
        ({"seed": -1}, ["seed", "greater than or equal to 0"]),
    ],
)
def test_settings_that_do_not_fit_are_one_line(changes, words):
    with refused(*words):
        settings(**{"tier": "random", **changes})


def test_too_few_users_are_one_line(tmp_path):
    with refused("3 users are fewer than top_users=4"):
        datasets.ensure(settings("random", world="radio/2x3", environment={**SMALL, "top_users": 4}), tmp_path)


def test_datasets_lie_in_the_runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATION_RUNS", str(tmp_path / "elsewhere"))
    assert datasets.ensure(settings("random")).parent == tmp_path / "elsewhere" / "datasets"


def command(*words: str) -> int:
    options = [part for name, value in SMALL.items() for part in ("-p", name, str(value))]
    return main(["dataset", *words, "--world", WORLD, *options])


def test_one_command_collects_and_checks(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPLICATION_RUNS", str(tmp_path / "runs"))
    assert command("heuristic-mix", "--size", "180", "--seed", "3") == 0
    said = capsys.readouterr().out
    assert "180 transitions, 6 episodes of 30 steps; 3 agents" in said
    assert all(word in said for word in ("score:", "tail_rate:", "actions", "coverage"))
    assert command("random", "--size", "60", "--pool", "180", "--out", str(tmp_path / "out")) == 0
    data = offline.load(tmp_path / "out")
    assert (data.size, data.card["behaviour"]["tier"]) == (60, "random")
    assert command("--check", str(tmp_path / "out")) == 0
    assert "sound, and of radio/3x8" in capsys.readouterr().out


def test_what_is_wrong_with_words_or_data_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPLICATION_RUNS", str(tmp_path / "runs"))
    assert command("random", "--size", "60", "--out", str(tmp_path / "out")) == 0
    data = offline.load(tmp_path / "out")
    data.reward[1, 3] += 0.5
    offline.write(tmp_path / "wrong reward", data)
    data.reward[1, 3] -= 0.5
    renamed = OfflineData(data.observation[..., :4], *(getattr(data, name) for name in ("mask", "action", "reward",
                          "terminated", "logs", "card")))  # fmt: skip
    offline.write(tmp_path / "wrong sizes", renamed)
    for name, paid in {"no form": {"fairness": 0.8, "scale": 1 / 8}, "odd form": [], "odd scale": {**data.card["paid"],
                       "scale": "x"}}.items():  # fmt: skip
        offline.write(tmp_path / name, replace(data, card={**data.card, "paid": paid}))
    capsys.readouterr()
    for words, parts in {
        ("--check", str(tmp_path / "wrong reward")): ["reward of step 3 of episode 1 does not follow"],
        ("--check", str(tmp_path / "wrong sizes")): ["(3, 4, 4, 30)", "(3, 6, 4, 30)"],
        ("--check", str(tmp_path / "no form")): ["do not fit together", "form"],
        ("--check", str(tmp_path / "odd form")): ["do not fit together"],
        ("--check", str(tmp_path / "odd scale")): ["do not fit together"],
        ("--check", str(tmp_path)): ["is no dataset"],
        ("--check", str(tmp_path / "out"), "-p", "smoothing", "0.1"): ["another environment: smoothing 0.01"],
        ("random", "--check", "x"): ["--check takes no tier"],
        (): ["which tier?", "heuristic-mix"],
        ("heuristic", "--size", "60"): ["unknown tier 'heuristic'", "did you mean heuristic-mix"],
        ("random", "--size", "61"): ["multiple of the horizon 30"],
        ("random", "--size", "60", "--out", str(tmp_path / "out")): ["exists already"],
        ("random", "--size", "60", "-p", "fairness", "3"): ["fairness", "less than or equal to 1"],
        ("random", "--size", "three"): ["--size"],
        ("random", "--size", str(HORIZON * 10**12)): ["MB free"],
    }.items():
        assert command(*words) == 2, words
        said = capsys.readouterr().err
        assert said.startswith("replicate: ")
        assert said.count("\n") == 1
        assert all(part in said for part in parts), said
