"""Scripted controllers of the navigation worlds, from random to the assignment oracle, and the score between them.

They share one steering law (A-308): push along the axis of the largest error of the predicted stopping point. It is
tuned to come near the returns of scripted teams that we measured before the study (300 episodes each, in a separate
program for the same task), not to be optimal: `brake=0.6` is sharper.
"""

from typing import Any, ClassVar, Literal

import numpy as np
from numba import njit

from replication.envs.navigation_assignment import assign_lanes
from replication.seeding import mix, uniform
from replication.settings import BadInput, Settings, choose, setting

LEAST_DAMPING = 0.05  # below it, a disc coasts so far that planning with its stopping point is useless


class SteeringSettings(Settings):
    """Settings of the steering law."""

    brake: float = setting(
        0.9, "share of the coasting distance that counts as already travelled", origin="ours (A-308)", ge=0
    )
    dead_zone: float = setting(
        0.25,
        "no push while the error is below this share of the distance one push adds",
        origin="ours (A-308)",
        ge=0,
    )


class HungarianSettings(SteeringSettings):
    """Settings of the assignment controllers."""

    cost: Literal["distance", "squared", "stopping"] = setting(
        "distance",
        "what an assignment costs: the distance, its square, or the distance from where the agent would coast to",
        origin="ours (A-308)",
    )


class RandomSettings(Settings):
    """Settings of the random controller."""

    seed: int = setting(0, "which random sequence", origin="ours (A-308)", ge=0)


class Navigator:
    """What every controller offers: `reset(world)` at the start of episodes, `act(world)` before each step."""

    settings_class: ClassVar[type[Settings]] = SteeringSettings

    def __init__(self, world: Any, settings: Any) -> None:
        self.settings = settings

    def reset(self, world: Any) -> None:
        """Forget earlier episodes."""

    def act(self, world: Any) -> np.ndarray:
        """Actions for the next step of every lane, in the form of the world."""
        goals = np.take_along_axis(world.targets(), self.choices(world)[:, :, None], axis=1)
        return steer(world, goals, self.settings)

    def choices(self, world: Any) -> np.ndarray:
        """(E, A) index of the target each agent heads for."""
        raise TypeError(f"{type(self).__name__} chooses actions directly")


class RandomActions(Navigator):
    """Uniform actions, a pure function of seed, episode key, step and agent."""

    settings_class = RandomSettings

    def act(self, world: Any) -> np.ndarray:
        discrete = world.action_kind == "discrete"
        draws = np.empty((world.num_envs, world.num_agents, 1 if discrete else world.action_size))
        _fill_uniform(world.lane_keys, world.lane_steps, self.settings.seed, draws)
        if discrete:
            return (draws * world.action_size).astype(np.int64)
        return world.action_low + (world.action_high - world.action_low) * draws


class NoOperation(Navigator):
    """Never pushes."""

    settings_class = Settings

    def act(self, world: Any) -> np.ndarray:
        return as_actions(world, np.zeros((world.num_envs, world.num_agents, 2)))


class AllToOne(Navigator):
    """Every agent heads for the first target."""

    def choices(self, world: Any) -> np.ndarray:
        return np.zeros((world.num_envs, world.num_agents), dtype=np.int64)


class Greedy(Navigator):
    """Every agent heads for the target nearest to it now."""

    def choices(self, world: Any) -> np.ndarray:
        return distances(world).argmin(axis=-1)


class FixedRole(Navigator):
    """Agent i heads for target i, whatever the distance."""

    def choices(self, world: Any) -> np.ndarray:
        roles = np.arange(world.num_agents) % world.targets().shape[1]
        return np.broadcast_to(roles, (world.num_envs, world.num_agents))


class HungarianDynamic(Navigator):
    """The assignment of agents to targets that costs least, computed anew at every step."""

    settings_class: ClassVar[type[Settings]] = HungarianSettings

    def choices(self, world: Any) -> np.ndarray:
        cost = distances(world, self._ahead(world))
        agents, targets = cost.shape[1:]
        if agents > targets:
            raise BadInput(
                f"an assignment needs a target for every agent, got {agents} agents and {targets} targets; "
                "use the controller 'greedy' or task 'supply'"
            )
        columns = np.empty(cost.shape[:2], dtype=np.int64)
        assign_lanes(cost**2 if self.settings.cost == "squared" else cost, columns)
        return columns

    def _ahead(self, world: Any) -> float:
        return coasting_time(world) if self.settings.cost == "stopping" else 0.0


class HungarianStatic(HungarianDynamic):
    """The cheapest assignment at the start of an episode, kept to its end."""

    def __init__(self, world: Any, settings: Any) -> None:
        super().__init__(world, settings)
        self.reset(world)

    def reset(self, world: Any) -> None:
        self._keys: np.ndarray | None = None
        self._kept = np.zeros((world.num_envs, world.num_agents), dtype=np.int64)

    def choices(self, world: Any) -> np.ndarray:
        keys = world.lane_keys
        new = (world.lane_steps == 0) | (self._keys is None or self._keys != keys)
        if np.any(new):
            self._kept[new], self._keys = super().choices(world)[new], keys
        return self._kept


def coasting_time(world: Any) -> float:
    """Distance a disc still travels without force, per unit of its velocity."""
    s = world.settings
    ahead = s.time_step / max(s.damping, LEAST_DAMPING)
    return ahead if s.integration == "old_velocity" else ahead * (1.0 - s.damping)


def distances(world: Any, ahead: float = 0.0) -> np.ndarray:
    """(E, A, T) distances from agents to targets; with `ahead` from where the agents will be by then at this speed."""
    offset = (world.positions + ahead * world.velocities)[:, :, None] - world.targets()[:, None]
    return np.sqrt(np.square(offset).sum(axis=-1))


def steer(world: Any, goals: np.ndarray, settings: SteeringSettings) -> np.ndarray:
    """Actions that bring every agent to its goal (E, A, 2) and stop it there.

    Discrete worlds push fully along the axis of the larger error; continuous ones push as much as is needed.
    """
    ahead = coasting_time(world)
    error = goals - world.positions - settings.brake * ahead * world.velocities
    reach = (world.sensitivity * world.settings.time_step * ahead)[:, None]  # what one full push adds
    if world.action_kind != "discrete":
        return as_actions(world, np.clip(error / reach, -1.0, 1.0))
    size = np.abs(error)
    larger = np.stack([size[..., 0] >= size[..., 1], size[..., 0] < size[..., 1]], axis=-1)
    return as_actions(world, np.sign(error) * (larger & (size > settings.dead_zone * reach)))


def as_actions(world: Any, push: np.ndarray) -> np.ndarray:
    """Pushes (E, A, 2) in [-1, 1] as actions of the world; discrete ones need a single axis of -1 or 1."""
    x, y = push[..., 0], push[..., 1]
    if world.action_kind == "discrete":
        return ((x < 0) + 2 * (x > 0) + 3 * (y < 0) + 4 * (y > 0)).astype(np.int64)[..., None]
    if world.action_size == 2:
        return push
    return np.stack([np.zeros_like(x), *(np.maximum(part, 0.0) for part in (-x, x, -y, y))], axis=-1)


@njit(cache=True)
def _fill_uniform(keys, steps, seed, draws):
    salt = mix(np.uint64(seed) + np.uint64(0x6E61766967617465))  # keeps clear of the world's own draws
    for lane in range(draws.shape[0]):
        for agent in range(draws.shape[1]):
            for part in range(draws.shape[2]):
                draws[lane, agent, part] = uniform(keys[lane] ^ salt, steps[lane], agent * draws.shape[2] + part)


NAVIGATORS: dict[str, type[Navigator]] = {
    "random": RandomActions,
    "no_operation": NoOperation,
    "all_to_one": AllToOne,
    "greedy": Greedy,
    "fixed_role": FixedRole,
    "hungarian_static": HungarianStatic,
    "hungarian_dynamic": HungarianDynamic,
    "hungarian": HungarianDynamic,
}


def make_controller(world: Any, name: str, **settings: Any) -> Navigator:
    """Controller `name` of `NAVIGATORS` for a navigation world.

    Raises:
        BadInput: unknown controller, unknown setting, or a value out of range.
    """
    kind = NAVIGATORS[choose("controller", name, NAVIGATORS)]
    return kind(world, kind.settings_class(**settings))


def play(world: Any, controller: Navigator, keys: np.ndarray) -> dict[str, np.ndarray]:
    """One episode per lane under a scripted controller.

    Args:
        keys: (E,) uint64 episode keys; equal keys give equal starts to every controller.

    Returns:
        name -> (E,) sums over the episode: "return" (v3 reward, mean over agents) and the world's metrics.
    """
    world.reset(keys)
    controller.reset(world)
    alive = np.ones(world.num_envs, dtype=bool)
    sums: dict[str, Any] = {}
    while alive.any():
        _, reward, terminated, truncated, info = world.step(controller.act(world))
        for name, values in {"return": reward.mean(axis=1), **info}.items():
            sums[name] = sums.get(name, 0.0) + np.where(alive, values, 0.0)
        alive &= ~(terminated | truncated)
    return sums


def normalised_score(returns: np.ndarray, random: float, oracle: float) -> np.ndarray:
    """(R - random) / (oracle - random): 0 is random play, 1 the dynamic Hungarian controller (A-309).

    Args:
        returns: returns per agent, of any shape.
        random, oracle: mean returns of the two anchors on the same episodes.

    Raises:
        BadInput: the oracle is no better than random, so there is no scale.
    """
    if not oracle > random:
        raise BadInput(f"the oracle's return must exceed random play's, got {oracle:g} and {random:g}")
    return (np.asarray(returns) - random) / (oracle - random)
