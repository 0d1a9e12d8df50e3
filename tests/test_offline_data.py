"""Offline data: what is written is read back, damage and nonsense are refused in one line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from refusals import refused

import replication
from replication.data import offline, offline_card, offline_export, offline_files
from replication.data.offline import OfflineData
from replication.settings import BadInput

EPISODES, HORIZON, AGENTS, FEATURES, ACTIONS = 5, 7, 3, 4, 4
ENVIRONMENT = {"world": "toy/3", "area": 500.0}


def toy_data(seed: int = 0, **changes) -> OfflineData:
    rng = np.random.default_rng(seed)
    mask = rng.random((EPISODES, HORIZON + 1, AGENTS, ACTIONS)) < 0.6
    mask[..., 0] = True
    draw = rng.random(mask[:, :-1].shape) * mask[:, :-1]
    arrays = {
        "observation": rng.normal(size=(EPISODES, HORIZON + 1, AGENTS, FEATURES)).astype(np.float32),
        "mask": mask,
        "action": draw.argmax(axis=-1).astype(np.int8),
        "reward": rng.normal(size=(EPISODES, HORIZON)).astype(np.float32),
        "terminated": rng.random((EPISODES, HORIZON)) < 0.1,
        "logs": {"weights": rng.random((EPISODES, HORIZON, 6)).astype(np.float32)},
        "card": {"environment": ENVIRONMENT, "episodes": {"score": [0.0, 1.0, 2.0, 3.0, 4.0]}},
    }
    return OfflineData(**{**arrays, **changes})


def assert_equal(one: OfflineData, other: OfflineData) -> None:
    for name in ("observation", "mask", "action", "reward", "terminated"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert one.logs.keys() == other.logs.keys()
    for name, array in one.logs.items():
        np.testing.assert_array_equal(array, other.logs[name])


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setattr(offline, "SHARD_BYTES", 1500)
    offline.write(tmp_path / "data", toy_data())
    assert len(list((tmp_path / "data").glob("*.npz"))) > 1
    return tmp_path / "data"


def test_what_is_written_is_read_back(stored):
    found = offline.load(stored, ENVIRONMENT)
    assert_equal(found, toy_data())
    assert (found.episodes, found.horizon, found.size) == (EPISODES, HORIZON, EPISODES * HORIZON)
    assert (found.num_agents, found.features, found.action_size) == (AGENTS, FEATURES, ACTIONS)
    assert found.card["environment"] == ENVIRONMENT
    assert_equal(offline.load(stored, episodes=3), toy_data().take(np.arange(3)))


def test_equal_data_give_equal_files(stored, tmp_path):
    offline.write(tmp_path / "again", toy_data())
    for path in stored.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_take_keeps_episodes_whole_and_in_order():
    data, some = toy_data(), toy_data().take(np.array([3, 1]))
    np.testing.assert_array_equal(some.observation[0], data.observation[3])
    np.testing.assert_array_equal(some.logs["weights"][1], data.logs["weights"][1])
    assert some.card["episodes"]["score"] == [3.0, 1.0]
    for wrong in ([5], [-1], [0.5], []):
        with pytest.raises(BadInput):
            data.take(np.array(wrong))


def test_an_action_outside_of_its_mask_is_refused(tmp_path):
    data = toy_data()
    data.mask[2, 4, 1] = [True, False, True, True]
    data.action[2, 4, 1] = 1
    with refused("action 1 of agent 1 in step 4 of episode 2", "not valid"):
        offline.write(tmp_path / "data", data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"reward": np.full((EPISODES, HORIZON), np.nan)}, ["reward", "finite"]),
        ({"action": np.full((EPISODES, HORIZON, AGENTS), ACTIONS)}, ["actions", "0 to 3"]),
        ({"reward": np.zeros((EPISODES, HORIZON + 1))}, ["reward", "shape"]),
        ({"mask": np.ones((EPISODES, HORIZON, AGENTS, ACTIONS), bool)}, ["mask", "shape"]),
        ({"logs": {"rates": np.zeros(EPISODES)}}, ["rates"]),
    ],
)
def test_unsound_data_are_refused(tmp_path, changes, words):
    with refused(*words):
        offline.write(tmp_path / "data", toy_data(**changes))
    assert not (tmp_path / "data").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(offline_files, "write_text", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        offline.write(tmp_path / "data", toy_data())
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_overwritten(stored):
    with refused("exists already"):
        offline.write(stored, toy_data(1))
    assert_equal(offline.load(stored), toy_data())


def test_data_of_another_environment_are_refused(stored):
    with refused("another environment", "area 500.0 instead of 400.0"):
        offline.load(stored, {**ENVIRONMENT, "area": 400.0})


def test_cut_files_are_refused(stored):
    shard = stored / "episodes-0001.npz"
    shard.write_bytes(shard.read_bytes()[:-100])
    with refused("episodes-0001.npz", "bytes instead of"):
        offline.load(stored)


def test_altered_files_are_refused(stored):
    shard = stored / "episodes-0001.npz"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with refused("episodes-0001.npz", "SHA-256"):
        offline.load(stored)


def test_missing_files_are_refused(stored, tmp_path):
    (stored / "episodes-0001.npz").unlink()
    with refused("episodes-0001.npz is missing"):
        offline.load(stored)
    (stored / "manifest.json").unlink()
    with refused("is no dataset"):
        offline.load(stored)
    with refused("is no dataset"):
        offline.load(tmp_path / "nowhere")


def test_files_that_are_no_dataset_are_refused(stored):
    manifest = json.loads((stored / "manifest.json").read_text())
    shard = stored / "episodes-0000.npz"
    shard.write_bytes(b"not a zip file")
    manifest["shards"] = [offline_files.entry(shard) | {"episodes": EPISODES}]
    (stored / "manifest.json").write_text(json.dumps(manifest))
    with refused("episodes-0000.npz holds no episodes"):
        offline.load(stored)
    (stored / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with refused("format 99"):
        offline.load(stored)
    (stored / "manifest.json").write_text('{"format": 1}')
    with refused("lacks entries"):
        offline.load(stored)
    for odd in ({"shards": []}, {"shards": "x"}, {"shards": [3]}, {"card": "card.json"}, {"episodes": "five"},
                {"episodes": 4}, {"action_size": 0}, {"shards": [{**manifest["shards"][0], "file": "../x.npz"}]},
                {"shards": [{"episodes": EPISODES}]}):  # fmt: skip
        (stored / "manifest.json").write_text(json.dumps({**manifest, **odd}))
        with refused("entries that make no sense"):
            offline.load(stored)
    (stored / "manifest.json").write_text("{")
    with refused("manifest.json is damaged"):
        offline.load(stored)


@pytest.mark.parametrize("card, words", [
    ("[]", ["is no card"]),
    ("{", ["no JSON"]),
    ('{"environment": 3}', ["is no card"]),
    ('{"episodes": {"score": [1, 2]}}', ["'score' must list one value for each of 5 episodes"]),
])  # fmt: skip
def test_a_card_that_makes_no_sense_is_refused(stored, card, words):
    manifest = json.loads((stored / "manifest.json").read_text())
    (stored / "card.json").write_text(card)
    manifest["card"] = offline_files.entry(stored / "card.json")
    (stored / "manifest.json").write_text(json.dumps(manifest))
    with refused(*words):
        offline.load(stored)


def test_a_few_episodes_have_a_card_of_their_own(stored):
    first = json.loads((stored / "manifest.json").read_text())["shards"][0]["episodes"]
    for count in (first, first + 1):
        data = offline.load(stored, episodes=count)
        assert data.card["episodes"]["score"] == [0.0, 1.0, 2.0, 3.0, 4.0][:count]
        assert data.card["transitions"] == count * HORIZON


def test_the_package_alone_leads_to_its_parts():
    words = ("import replication, sys; assert 'replication.data.offline' not in sys.modules; "
             "print(replication.data.offline.load.__name__, replication.seeding.keys.__name__)")  # fmt: skip
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["load", "keys"]
    for package in (replication, replication.data):
        with pytest.raises(AttributeError, match="has no attribute 'offlin'"):
            package.offlin  # noqa: B018


def test_the_card_says_what_follows_from_the_data(stored):
    data = offline.load(stored)
    card, taken = data.card, data.take(np.array([4, 2]))
    assert card["transitions"] == EPISODES * HORIZON
    assert taken.card["transitions"] == 2 * HORIZON
    assert card["scores"]["score"] == {"mean": 2.0, "spread": pytest.approx(2.5**0.5)}
    assert taken.card["scores"]["score"] == {"mean": 3.0, "spread": pytest.approx(2**0.5)}
    for agent in range(AGENTS):
        for action in range(ACTIONS):
            count = sum(int(a == action) for a in data.action[:, :, agent].ravel())
            assert card["actions"][agent][action] == pytest.approx(count / data.size)
    np.testing.assert_allclose(card["normaliser"]["mean"], data.observation[:, :-1].mean(axis=(0, 1)), rtol=1e-5)
    factor = 1.0 / data.observation[:, :-1].astype(float).std(axis=(0, 1))
    np.testing.assert_allclose(card["normaliser"]["factor"], factor, rtol=1e-12)
    assert taken.card["normaliser"] != card["normaliser"]


def test_the_normaliser_leaves_out_empty_ranks_and_still_numbers():
    held_by = np.full((AGENTS, FEATURES, 2), -1)
    held_by[1, 2] = (2, 3)  # this number of agent 1 is of the user whom action 3 of agent 2 would serve
    data = toy_data(card={"observation": {"held_by": held_by.tolist()}})
    data.observation[:, :, 0, 0] = 7.0
    mean, factor = offline_card.normaliser(data)
    rows = [
        data.observation[k, t, 1, 2] for k in range(EPISODES) for t in range(HORIZON) if data.mask[k, t, 2, 3]
    ]  # fmt: skip
    assert 0 < len(rows) < data.size
    assert mean[1, 2] == pytest.approx(np.mean(rows, dtype=float))
    assert factor[1, 2] == pytest.approx(1.0 / np.std(rows, dtype=float))
    assert (mean[0, 0], factor[0, 0]) == (7.0, 1.0)
    data.mask[..., 2, 3] = False
    mean, factor = offline_card.normaliser(data)
    assert (mean[1, 2], factor[1, 2]) == (0.0, 1.0)


def test_coverage_counts_cells_seen():
    grid = [[1, -1.0, 1.0], [3, 0.0, 2.0]]
    data = toy_data(card={"observation": {"grid": grid}})
    found = offline_card.coverage(data)
    bins, states, pairs, tried = offline_card.BINS, [], [], []
    for agent in range(AGENTS):
        seen: dict[tuple[int, ...], set[int]] = {}
        for row, action in zip(data.observation[:, :-1, agent].reshape(-1, FEATURES), data.action[:, :, agent].flat):
            cell = tuple(min(max(int(np.floor((row[f] - lo) / (hi - lo) * bins)), 0), bins - 1) for f, lo, hi in grid)
            seen.setdefault(cell, set()).add(int(action))
        states.append(len(seen) / bins**2)
        pairs.append(sum(map(len, seen.values())) / (bins**2 * ACTIONS))
        tried.append(np.mean([len(chosen) / ACTIONS for chosen in seen.values()]))
    assert found["states"] == pytest.approx(np.mean(states))
    assert found["state_actions"] == pytest.approx(np.mean(pairs))
    assert found["actions_per_state"] == pytest.approx(np.mean(tried))
    joint = {tuple(row) for row in data.action.reshape(-1, AGENTS).tolist()}
    assert found["joint_actions"] == pytest.approx(len(joint) / ACTIONS**AGENTS)
    codes = offline_card.joint_actions(data)
    assert codes[2, 3] == sum(int(a) * ACTIONS ** (AGENTS - 1 - i) for i, a in enumerate(data.action[2, 3]))


def timed_out_data() -> OfflineData:
    return toy_data(terminated=np.zeros((EPISODES, HORIZON), bool))


def test_d3rlpy_gets_one_row_per_step():
    data = timed_out_data()
    data.terminated[2, -1] = True
    joint, one = offline_export.to_d3rlpy(data), offline_export.to_d3rlpy(data, joint=False, agent=2)
    row = 0
    for k in range(EPISODES):
        for t in range(HORIZON):
            np.testing.assert_array_equal(joint["observations"][row], np.concatenate(list(data.observation[k, t])))
            np.testing.assert_array_equal(one["observations"][row], data.observation[k, t, 2])
            digits = "".join(str(int(a)) for a in data.action[k, t])
            assert joint["actions"][row, 0] == int(digits, base=ACTIONS)
            assert one["actions"][row, 0] == data.action[k, t, 2]
            assert joint["rewards"][row, 0] == one["rewards"][row, 0] == data.reward[k, t]
            assert joint["terminals"][row] == (k == 2 and t == HORIZON - 1)
            assert joint["timeouts"][row] == (k != 2 and t == HORIZON - 1)
            row += 1
    assert all(len(array) == row for array in (*joint.values(), *one.values()))
    with refused("agent must be from 0 to 2, got 3"):
        offline_export.to_d3rlpy(data, joint=False, agent=3)


def test_minari_reads_what_was_written(tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    data = timed_out_data()
    offline_export.to_minari(data, "toy/random-v0", author="somebody", author_email="a@b.c", code_permalink="here")
    found = minari.load_dataset("toy/random-v0")
    assert (found.total_episodes, found.total_steps) == (EPISODES, data.size)
    assert found.action_space.nvec.tolist() == [ACTIONS] * AGENTS
    for k, episode in enumerate(found.iterate_episodes()):
        np.testing.assert_array_equal(episode.observations, data.observation[k].reshape(HORIZON + 1, -1))
        np.testing.assert_array_equal(episode.actions, data.action[k])
        np.testing.assert_array_equal(episode.rewards, data.reward[k])
        np.testing.assert_array_equal(episode.infos["action_mask"], data.mask[k])
        np.testing.assert_array_equal(episode.infos["weights"][:-1], data.logs["weights"][k])
        assert episode.truncations.tolist() == [False] * (HORIZON - 1) + [True]
        assert not episode.terminations.any()
        assert found.action_space.contains(episode.actions[0])
        assert found.observation_space.contains(episode.observations[0])


def test_a_missing_minari_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with refused("to_minari needs the package minari", "pip install"):
        offline_export.to_minari(timed_out_data(), "toy/random-v0")
