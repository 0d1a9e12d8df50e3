"""Player and replay: transitions stay whole, time limits are no ends, exploration is valid, seeds stay apart."""

from itertools import pairwise

import numpy as np
import pytest
from refusals import refused
from toy_discrete import Picks
from toy_worlds import Targets

from replication.algos.online_settings import OnlineSettings
from replication.algos.replay import Player, ReplayBuffer, random_valid


def small(**changes) -> OnlineSettings:
    return OnlineSettings(**({"envs": 3, "warm_up": 8, "capacity": 24} | changes))


def played(seeds=(4, 7), steps=20, capacity=24, settings=None, horizon=5):
    """A replay after random play, and the records of all its steps."""
    settings = settings or small()
    world = Picks(len(seeds) * settings.envs, horizon=horizon)
    player = Player(settings, world, seeds)
    replay = ReplayBuffer(seeds, settings.envs, capacity, 2, world.observation_size, 3)
    records = [player.advance(None) for _ in range(steps)]
    for record in records:
        replay.add(record.transitions())
    return replay, records


def contents(replay: ReplayBuffer, seed: int) -> set[bytes]:
    """All transitions of a seed as bytes."""
    places = np.arange(replay.filled)[None].repeat(len(replay.seeds), axis=0)
    batch = replay.take(places)
    return {b"".join(np.ascontiguousarray(part[seed, i]).tobytes() for part in batch) for i in range(replay.filled)}


def expected(records, seed: int, envs: int) -> set[bytes]:
    """The same from the records, one by one."""
    found = set()
    for record in records:
        for lane in range(seed * envs, (seed + 1) * envs):
            parts = [record.observation, record.mask, record.action[..., 0].astype(np.int64)]
            parts += [record.reward.mean(axis=1, dtype=np.float32), record.next_observation, record.next_mask]
            parts.append(record.terminated.astype(np.float32))
            found.add(b"".join(np.ascontiguousarray(part[lane]).tobytes() for part in parts))
    return found


@pytest.mark.parametrize("steps", [1, 5, 8, 9, 20])
def test_the_replay_holds_exactly_the_last_transitions(steps):
    replay, records = played(steps=steps)
    assert replay.filled == min(steps, 8) * 3
    for seed in range(2):
        assert contents(replay, seed) == expected(records[-8:], seed, 3)
        assert len(contents(replay, seed)) == replay.filled  # nothing twice


def test_a_draw_never_reaches_room_that_is_not_filled():
    replay, records = played(steps=3)
    batch = replay.sample(0, 500)
    assert batch.reward.shape == (2, 500)
    assert batch.action.dtype == np.int64
    assert batch.terminated.dtype == np.float32
    drawn = {batch.observation[0, i].tobytes() for i in range(500)}
    assert drawn == {record.observation[lane].tobytes() for record in records for lane in range(3)}


def test_a_seed_draws_the_same_alone_and_in_company():
    together, _ = played(seeds=(4, 7, 9))
    alone, _ = played(seeds=(7,))
    for update in (0, 3):
        for one, other in zip(alone.sample(update, 16), together.sample(update, 16), strict=True):
            assert np.array_equal(one[0], other[1])
    first, second = together.sample(0, 16), together.sample(1, 16)
    assert not np.array_equal(first.observation, second.observation)
    assert not np.array_equal(first.observation[0], first.observation[1])


@pytest.mark.parametrize("terminates", [False, True])
def test_what_follows_a_cut_is_the_last_observation_not_the_next_episode(terminates):
    world = Picks(3, horizon=5, terminates=terminates)
    player = Player(small(), world, (0,))
    records = [player.advance(None) for _ in range(11)]
    for before, after in pairwise(records):
        cut = before.truncated | before.terminated
        assert np.array_equal(before.terminated, cut & terminates)
        assert np.array_equal((before.next_observation == after.observation).all(axis=(1, 2)), ~cut)
    clocks = np.stack([record.next_observation[:, 0, -1] for record in records])
    assert np.allclose(clocks[:, 0] * 5, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1])


@pytest.mark.parametrize("steps", [0, 3, 8, 13, 20])
def test_a_snapshot_brings_everything_back(steps):
    replay, records = played(steps=steps)
    saved = replay.snapshot()
    twin, _ = played(steps=2)
    twin.restore(saved)
    assert twin.filled == replay.filled
    for name in ("observation", "mask", "action", "reward", "next_observation", "next_mask", "terminated"):
        assert np.array_equal(getattr(twin, name)[:, : twin.filled], getattr(replay, name)[:, : replay.filled]), name
    more = records[0].transitions() if records else played(steps=1)[1][0].transitions()
    for one in (replay, twin):
        one.add(more)
    for one, other in zip(replay.sample(5, 32), twin.sample(5, 32), strict=True):
        assert np.array_equal(one, other)


def test_a_snapshot_is_about_half_of_what_is_held():
    replay, _ = played(steps=400, capacity=1200, horizon=100)
    held = sum(getattr(replay, name).nbytes for name in ("observation", "next_observation", "mask", "next_mask"))
    saved = replay.snapshot()
    assert (
        sum(np.asarray(saved[name]).nbytes for name in saved if "observation" in name or "mask" in name) < 0.55 * held
    )


def test_random_actions_are_uniform_among_the_valid_ones():
    mask = np.array([[[True, False, True, True], [True, False, False, False]]]).repeat(30_000, axis=0)
    actions = random_valid(mask, np.random.default_rng(0).random(mask.shape[:2]))[..., 0]
    shares = np.bincount(actions[:, 0], minlength=4) / len(actions)
    assert np.allclose(shares, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.02)
    assert not actions[:, 1].any()
    assert random_valid(mask[:1], np.full((1, 2), np.nextafter(1, 0))).max() == 3


def test_exploration_falls_from_the_first_to_the_last_share():
    settings = small(warm_up=10, epsilon_steps=100, first_epsilon=0.9, last_epsilon=0.1)
    assert [settings.epsilon(step) for step in (0, 9)] == [1.0, 1.0]
    assert np.allclose([settings.epsilon(step) for step in (10, 60, 110, 5000)], [0.9, 0.5, 0.1, 0.1])


class Stubborn:
    """A policy that always wants the action 0."""

    def act(self, observation, mask):
        return np.zeros((*mask.shape[:2], 1), np.int64)


def test_the_player_explores_by_epsilon():
    settings = small(envs=200, capacity=200, warm_up=1, epsilon_steps=1, first_epsilon=0.5, last_epsilon=0.2)
    settings = settings.but(learner__backbone="dqn")
    player = Player(settings, Picks(200), (3,))
    player.step = 500
    other = np.mean([(player.advance(Stubborn()).action > 0).mean() for _ in range(40)])
    assert 0.2 * 0.55 < other < 0.2 * 0.67  # of three actions, one of which is invalid for some


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: Player(small(), Picks(5), (0, 1)), "2 seeds x 3 envs need 6"),
        (lambda: Player(small(), Targets(3), (0,)), "needs discrete actions"),
        (lambda: ReplayBuffer((0,), 8, 7, 2, 3, 3), "cannot hold one step of 8 lanes"),
        (lambda: small(capacity=2), "capacity must be >= envs"),
        (lambda: small().but(learner__backbone="bc"), "sac or dqn"),
        (lambda: played(capacity=30)[0].restore(played(capacity=24)[0].snapshot()), "does not fit"),
    ],
)
def test_bad_input_is_one_line(attempt, message):
    with refused(message):
        attempt()
