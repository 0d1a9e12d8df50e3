"""Checks that any world keeps the common contract; usable on worlds of your own.

`check_world(make)` takes a function `make(num_envs) -> world` and raises `AssertionError` with one clear line at
the first promise that does not hold.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from replication.seeding import keys, stream


def check_world(make: Callable[[int], Any], steps: int = 8) -> None:
    """Run every check below on worlds built by `make(num_envs)`."""
    check_shapes(make(3), steps)
    check_lane_independence(make, steps)
    check_snapshot(make(2), steps)
    check_partial_reset(make(3), steps)
    check_time_limit(make(2))


def random_actions(world: Any, *numbers: int) -> np.ndarray:
    """(E, A, action_size) uniform actions, or one-hot choices (E, A, choices) for discrete worlds, seeded."""
    rng = stream("contract actions", *numbers)
    shape = (world.num_envs, world.num_agents)
    if world.action_kind == "continuous":
        return rng.uniform(world.action_low, world.action_high, (*shape, world.action_size))
    return rng.integers(world.action_size, size=(*shape, 1))


def check_shapes(world: Any, steps: int) -> None:
    """Shapes and types of everything a world returns."""
    envs, agents = world.num_envs, world.num_agents
    observation = world.reset(keys("contract", 0, count=envs))
    _expect(observation.shape == (envs, agents, world.observation_size), "observation shape", observation.shape)
    for t in range(steps):
        observation, reward, terminated, truncated, info = world.step(random_actions(world, t))
        _expect(observation.shape == (envs, agents, world.observation_size), "observation shape", observation.shape)
        _expect(reward.shape == (envs, agents), "reward shape", reward.shape)
        _expect(terminated.shape == truncated.shape == (envs,), "terminated and truncated shape", terminated.shape)
        _expect(not np.any(terminated & truncated), "an episode ends one way only", None)
        _expect(world.state().shape == (envs, world.state_size), "state shape", world.state().shape)
        _expect(world.action_mask().shape == (envs, agents, world.action_size), "action mask shape", None)
        _expect(bool(np.isfinite(observation).all() and np.isfinite(reward).all()), "finite numbers", None)
        _expect(all(len(values) == envs for values in info.values()), "info has one row per lane", list(info))


def check_lane_independence(make: Callable[[int], Any], steps: int) -> None:
    """A lane's trajectory does not depend on how many lanes run beside it, bit by bit."""
    many, one = make(70), make(1)
    lane_keys = keys("contract lanes", count=70)
    a, b = many.reset(lane_keys)[69:].copy(), one.reset(lane_keys[69:]).copy()
    _expect(np.array_equal(a, b), "first observation equal in a batch and alone", None)
    for t in range(steps):
        actions = random_actions(many, t)
        first, second = many.step(actions), one.step(actions[69:])
        _expect(np.array_equal(first[0][69:], second[0]), "observations equal in a batch and alone", t)
        _expect(np.array_equal(first[1][69:], second[1]), "rewards equal in a batch and alone", t)


def check_snapshot(world: Any, steps: int) -> None:
    """Restoring a snapshot replays the same future."""
    world.reset(keys("contract", 1, count=world.num_envs))
    saved = world.snapshot()
    first = [_copy(world.step(random_actions(world, t))) for t in range(steps)]
    world.restore(saved)
    again = [_copy(world.step(random_actions(world, t))) for t in range(steps)]
    for t, (a, b) in enumerate(zip(first, again, strict=True)):
        _expect(all(np.array_equal(x, y) for x, y in zip(a, b, strict=True)), "snapshot replays", t)


def check_partial_reset(world: Any, steps: int) -> None:
    """Resetting one lane leaves the others alone."""
    world.reset(keys("contract", 2, count=world.num_envs))
    observation = world.step(random_actions(world, 0))[0].copy()
    where = np.arange(world.num_envs) == 0
    after = world.reset(keys("contract", 3, count=world.num_envs), where)
    _expect(np.array_equal(observation[1:], after[1:]), "other lanes untouched by a reset", None)
    _expect(not np.array_equal(observation[0], after[0]), "the reset lane starts anew", None)


def check_time_limit(world: Any) -> None:
    """The horizon ends an episode by truncation, exactly once it is reached, unless the world says it is terminal."""
    world.reset(keys("contract", 4, count=world.num_envs))
    still = np.zeros((world.num_envs, world.num_agents, world.action_size if world.action_kind == "continuous" else 1))
    still = still if world.action_kind == "continuous" else still.astype(np.int64)
    for t in range(world.horizon):
        _, _, terminated, truncated, _ = world.step(still)
        _expect(
            bool(truncated.all()) == (t == world.horizon - 1) or bool(terminated.any()), "time limit at the horizon", t
        )


def _copy(result: tuple) -> tuple[np.ndarray, ...]:
    return tuple(np.array(part) for part in result[:4])


def _expect(holds: bool, promise: str, got: Any) -> None:
    if not holds:
        raise AssertionError(f"contract broken: {promise}; got {got!r}")
