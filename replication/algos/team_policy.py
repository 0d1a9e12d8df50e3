"""A trained team as arrays: it looks at a world itself and drives any world of its shape, greedily or drawing."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from replication import seeding
from replication.algos import policy_files
from replication.algos.fast_mlp import sizes
from replication.algos.nets import Arrays, Network
from replication.algos.team_kernels import draw, draw_gaussian
from replication.algos.team_mlp import outputs_of
from replication.algos.team_nets import Layout
from replication.algos.team_view import View
from replication.settings import BadInput

FORMAT = 1


@dataclass
class TeamPolicy:
    """Policies of S seeds' teams; the lanes of a world belong to the seeds in equal blocks, in order."""

    network: Network
    flat: np.ndarray  # (G, P) float32
    layout: Layout
    assignment: bool
    action_size: int
    discrete: bool
    low: float = 0.0
    high: float = 0.0

    @property
    def num_seeds(self) -> int:
        return len(self.flat) // self.layout.nets

    @property
    def view(self) -> View:
        return View(self.assignment, state=False, time=False)

    def outputs(self, seen: np.ndarray) -> np.ndarray:
        """Logits or means before tanh (S, n, A, U) for inputs (S, n, A, F)."""
        relu = self.network.activation == "relu"
        out = outputs_of(self.flat, sizes(self.network), relu, self.layout.group(seen))
        return self.layout.ungroup(out, seen.shape[1])

    def log_std(self) -> np.ndarray:
        """(S, A, U) log-deviations before tanh of continuous actions."""
        rest = self.flat[:, -self.layout.kinds * self.action_size :]
        per_net = rest.reshape(self.num_seeds, self.layout.nets * self.layout.kinds, self.action_size)
        return np.broadcast_to(per_net, (self.num_seeds, self.layout.agents, self.action_size))

    def probabilities(self, seen: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """(S, n, A, U) chances of the choices for inputs (S, n, A, F), of those `mask` (S, n, A, U) allows if given."""
        logits = self.outputs(seen)
        logits = logits if mask is None else np.where(mask, logits, -np.inf)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    def look(self, world) -> np.ndarray:
        """(S, E / S, A, F) what the actors see of a world now.

        Raises:
            BadInput: the lanes are no multiple of the number of seeds.
        """
        if world.num_envs % self.num_seeds:
            raise BadInput(
                f"{world.num_envs} lanes cannot be shared by {self.num_seeds} seeds; use a multiple of {self.num_seeds}"
            )
        seen = self.view.actor(world)
        return seen.reshape(self.num_seeds, -1, *seen.shape[1:])

    def act(self, world) -> np.ndarray:
        """Likeliest actions for the next step of every lane, in the form of the world."""
        out = self.outputs(self.look(world))
        if not self.discrete:
            return self.to_action(out)
        mask = world.action_mask().reshape(out.shape)
        return np.where(mask, out, -np.inf).argmax(axis=-1).reshape(world.num_envs, -1, 1)

    def sample(self, seen: np.ndarray, mask: np.ndarray | None, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drawn choices (S, n, A) or points before tanh (S, n, A, U), and their log-probabilities (S, n, A).

        Args:
            seen: (S, n, A, F) inputs. mask: (S, n, A, U) of discrete actions.
            noise: discrete: (S, n, A) uniform in [0, 1); continuous: (S, n, A, U) standard normal.
        """
        out = self.outputs(seen)
        log_probability = np.empty(out.shape[:3], np.float32)
        if mask is not None:
            action = np.empty(out.shape[:3], np.int64)
            wide = (-1, out.shape[-1])
            draw(out.reshape(wide), mask.reshape(wide), noise.ravel(), action.reshape(-1), log_probability.reshape(-1))
            return action, log_probability
        point, log_std = np.empty_like(out), self.log_std()
        for s in range(len(out)):
            rows = (a[s].reshape(-1, out.shape[-1]) for a in (out, noise, point))
            mean, own, where = rows
            draw_gaussian(mean, np.ascontiguousarray(log_std[s]), own, where, log_probability[s].reshape(-1))
        return point, log_probability

    def to_action(self, drawn: np.ndarray) -> np.ndarray:
        """Actions (E, A, ...) of the world for choices (S, n, A) or points before tanh (S, n, A, U)."""
        if self.discrete:
            return drawn.reshape(-1, self.layout.agents, 1)
        squashed = np.tanh(drawn.astype(np.float64)).reshape(-1, self.layout.agents, self.action_size)
        return self.low + 0.5 * (self.high - self.low) * (squashed + 1.0)

    def seed(self, index: int) -> "TeamPolicy":
        """The team of one seed, by its place."""
        first = index * self.layout.nets
        return replace(self, flat=self.flat[first : first + self.layout.nets].copy())

    def copy(self) -> "TeamPolicy":
        """A snapshot that later training does not change."""
        return replace(self, flat=self.flat.copy())

    def card(self) -> dict:
        """What is needed beside `flat` to rebuild the policy, as plain values."""
        names = ("assignment", "action_size", "discrete", "low", "high")
        plain = {name: getattr(self, name) for name in names}
        return {"format": FORMAT, "network": asdict(self.network), "layout": asdict(self.layout)} | plain


class Player:
    """A team as a controller: `reset(world)`, `act(world)`, as scripted controllers have; greedy or drawing."""

    def __init__(self, policy: TeamPolicy, draws: int | None = None) -> None:
        """`draws`: number of the random sequence that actions are drawn with; None for the likeliest actions."""
        self.policy, self.draws, self.steps = policy, draws, 0

    def reset(self, world) -> None:
        """Begin the random sequence again."""
        self.steps = 0

    def act(self, world) -> np.ndarray:
        """Actions for the next step of every lane."""
        if self.draws is None:
            return self.policy.act(world)
        seen = self.policy.look(world)
        rng = seeding.stream("team execution", self.draws, self.steps)
        self.steps += 1
        shape = (*seen.shape[1:3],) if self.policy.discrete else (*seen.shape[1:3], self.policy.action_size)
        one = rng.random(shape) if self.policy.discrete else rng.standard_normal(shape, np.float32)
        noise = np.broadcast_to(one, (len(seen), *shape)).copy()  # every seed meets the same draws
        mask = world.action_mask().reshape(*seen.shape[:3], -1) if self.policy.discrete else None
        return self.policy.to_action(self.policy.sample(seen, mask, noise)[0])


def save_team(path: str | Path, policy: TeamPolicy) -> None:
    """Write `path`.safetensors and `path`.json, each complete or not at all."""
    policy_files.write(path, {"flat": np.ascontiguousarray(policy.flat)}, policy.card())


def load_team(path: str | Path) -> TeamPolicy:
    """Read a team that `save_team` wrote.

    Raises:
        BadInput: a file is missing or was written by another format.
    """
    return build_team(*policy_files.read(path))


def build_team(arrays: Arrays, card: dict) -> TeamPolicy:
    """Team from its arrays and card."""
    if card.get("format") != FORMAT:
        raise BadInput(f"team card has format {card.get('format')!r}, this version reads {FORMAT}; train it again")
    network = Network(**{**card["network"], "hidden": tuple(card["network"]["hidden"])})
    rest = {name: value for name, value in card.items() if name not in ("format", "network", "layout")}
    return TeamPolicy(network=network, flat=arrays["flat"], layout=Layout(**card["layout"]), **rest)
