"""A trained policy over discrete actions as numpy arrays: scales its inputs, masks invalid actions, needs no trainer.

Decentralised: one network per agent (or one that all share) on the agent's own observation. Centralised: one network
on all observations that values every joint action; agent 0's action is the slowest digit of a joint action's number.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from replication.algos import policy_files
from replication.algos.nets import Arrays
from replication.algos.scaling import Scaling
from replication.settings import BadInput

FORMAT = 1


def joint_mask(mask: np.ndarray) -> np.ndarray:
    """(..., A, U) valid actions of each agent -> (..., U**A) valid joint actions."""
    joint = mask[..., 0, :]
    for agent in range(1, mask.shape[-2]):
        joint = (joint[..., :, None] & mask[..., agent, None, :]).reshape(*mask.shape[:-2], -1)
    return joint


def joint_digits(joint: np.ndarray, agents: int, actions: int) -> np.ndarray:
    """(...) numbers of joint actions -> (..., A) actions."""
    return joint[..., None] // actions ** np.arange(agents - 1, -1, -1) % actions


@dataclass
class DiscretePolicy:
    """Policies of S seeds; lanes are given to the seeds in equal blocks, in order.

    Attributes:
        weights: (S, M, P) of M networks per seed, in the order of `relu_mlp.Layers`.
        hidden: units of the two hidden layers.
        outputs: "logits" of the actions' probabilities, or "values" of the actions.
    """

    weights: np.ndarray
    scaling: Scaling
    hidden: tuple[int, ...]
    num_agents: int
    action_size: int
    outputs: str
    centralised: bool = False

    @property
    def num_seeds(self) -> int:
        return len(self.weights)

    @property
    def observation_size(self) -> int:
        return self.scaling.mean.shape[2]

    def values(self, observation: np.ndarray) -> np.ndarray:
        """Raw outputs (E, A, U) for observations (E, A, F); (E, 1, U**A) of a centralised policy.

        Raises:
            BadInput: another number of agents or features, or E is no multiple of the number of seeds.
        """
        x = self._inputs(observation)
        for weight, bias, last in self._layers():
            x = np.matmul(x, weight)
            x += bias[:, :, None]
            if not last:
                np.maximum(x, 0.0, out=x)
        lanes, heads = len(observation), 1 if self.centralised else self.num_agents
        x = x.reshape(self.num_seeds, heads, -1, x.shape[-1])
        return np.ascontiguousarray(x.swapaxes(1, 2)).reshape(lanes, heads, -1)

    def act(self, observation: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Greedy valid actions (E, A, 1) for observations (E, A, F) and masks (E, A, U)."""
        return self._actions(np.argmax(self._masked(observation, mask), axis=-1))

    def sample(self, observation: np.ndarray, mask: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """Actions (E, A, 1) drawn from the policy by `uniforms` (E, A) in [0, 1); a joint action by the first agent's.

        Raises:
            BadInput: the outputs are values, not logits.
        """
        if self.outputs != "logits":
            raise BadInput("a policy that ranks actions by value has no probabilities; call act(observation, mask)")
        total = np.cumsum(softmax(self._masked(observation, mask)), axis=-1)
        chosen = (total <= uniforms[:, : total.shape[1], None] * total[..., -1:]).sum(axis=-1)
        last = np.argmax(total >= total[..., -1:], axis=-1)
        return self._actions(np.minimum(chosen, last))

    def seed(self, index: int) -> "DiscretePolicy":
        """The policy of one seed, by its place."""
        return replace(self, weights=self.weights[index : index + 1].copy(), scaling=self.scaling.seed(index))

    def agent(self, index: int) -> "DiscretePolicy":
        """What agent `index` needs to act on its own: its network and scaling, as a policy of one agent.

        Raises:
            BadInput: the policy is centralised.
        """
        if self.centralised:
            raise BadInput(
                "a centralised policy has no part for one agent alone; train paradigm 'ctde' or 'independent'"
            )
        net = index % self.weights.shape[1]
        weights = self.weights[:, net : net + 1].copy()
        return replace(self, weights=weights, scaling=self.scaling.agent(index), num_agents=1)

    def copy(self) -> "DiscretePolicy":
        """A snapshot that later training does not change."""
        return replace(self, weights=self.weights.copy())

    def arrays(self) -> Arrays:
        """All numbers under flat names."""
        named = {"weights": self.weights} | {f"scaling.{name}": a for name, a in self.scaling.arrays().items()}
        return {name: np.ascontiguousarray(array) for name, array in named.items()}

    def card(self) -> dict:
        """What else is needed to rebuild the policy, as plain values."""
        names = ("num_agents", "action_size", "outputs", "centralised")
        return {"format": FORMAT, "hidden": list(self.hidden)} | {name: getattr(self, name) for name in names}

    def _inputs(self, observation: np.ndarray) -> np.ndarray:
        """Scaled inputs (S, M, rows, features) of the networks."""
        shape, seeds = (self.num_agents, self.observation_size), self.num_seeds
        if observation.shape[1:] != shape:
            raise BadInput(f"this policy sees observations (lanes, {shape[0]}, {shape[1]}), got {observation.shape}")
        if len(observation) % seeds:
            raise BadInput(f"{len(observation)} lanes cannot be shared by {seeds} seeds; use a multiple of {seeds}")
        split = observation.astype(np.float32, copy=False).reshape(seeds, -1, *shape)
        seen = (split - self.scaling.mean[:, None]) * self.scaling.factor[:, None]
        if self.centralised:
            return seen.reshape(seeds, 1, -1, shape[0] * shape[1])
        return np.ascontiguousarray(seen.swapaxes(1, 2)).reshape(seeds, self.weights.shape[1], -1, shape[1])

    def _layers(self):
        """Weights (S, M, in, out) and biases (S, M, out) of each layer, and whether it is the last."""
        agents, actions = self.num_agents, self.action_size
        inputs, outputs = self.observation_size, actions
        if self.centralised:
            inputs, outputs = inputs * agents, actions**agents
        sizes, start, lead = (inputs, *self.hidden, outputs), 0, self.weights.shape[:2]
        for layer in range(3):
            rows, columns = sizes[layer], sizes[layer + 1]
            middle, end = start + rows * columns, start + (rows + 1) * columns
            yield (
                self.weights[..., start:middle].reshape(*lead, rows, columns),
                self.weights[..., middle:end],
                layer == 2,
            )
            start = end

    def _masked(self, observation: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Outputs with -inf for invalid (joint) actions."""
        valid = joint_mask(mask)[:, None] if self.centralised else mask
        return np.where(valid, self.values(observation), -np.inf)

    def _actions(self, chosen: np.ndarray) -> np.ndarray:
        """(E, heads) choices -> (E, A, 1) actions."""
        if self.centralised:
            chosen = joint_digits(chosen[:, 0], self.num_agents, self.action_size)
        return chosen.astype(np.int64)[..., None]


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Probabilities in float64 over the last axis; -inf becomes 0."""
    exact = outputs.astype(np.float64)
    exact -= exact.max(axis=-1, keepdims=True)
    np.exp(exact, out=exact)
    return exact / exact.sum(axis=-1, keepdims=True)


def build_discrete_policy(arrays: Arrays, card: dict) -> DiscretePolicy:
    """Policy from what `DiscretePolicy.arrays` and `DiscretePolicy.card` gave."""
    if card.get("format") != FORMAT:
        raise BadInput(
            f"policy card has format {card.get('format')!r}, this version reads {FORMAT}; train or export it again"
        )
    rest = {name: value for name, value in card.items() if name not in ("format", "hidden")}
    scaling = Scaling(arrays["scaling.mean"], arrays["scaling.factor"])
    return DiscretePolicy(weights=arrays["weights"], scaling=scaling, hidden=tuple(card["hidden"]), **rest)


def save_discrete_policy(path: str | Path, policy: DiscretePolicy) -> None:
    """Write `path`.safetensors and `path`.json, each complete or not at all."""
    policy_files.write(path, policy.arrays(), policy.card())


def load_discrete_policy(path: str | Path) -> DiscretePolicy:
    """Read a policy that `save_discrete_policy` wrote.

    Raises:
        BadInput: a file is missing or was written by another format.
    """
    return build_discrete_policy(*policy_files.read(path))
