"""A trained policy as numpy arrays: it scales its inputs itself and drives any world of its shape without a trainer."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from replication.algos import fast_mlp, policy_files
from replication.algos.inputs import Inputs
from replication.algos.nets import Arrays, Network
from replication.settings import BadInput

FORMAT = 1


def tanh(x: np.ndarray) -> np.ndarray:
    """In place; in float32 the very function of the blocked update, so that ratios start at one."""
    return fast_mlp.tanh_in_place(x.reshape(-1)).reshape(x.shape) if x.dtype == np.float32 else np.tanh(x, out=x)


def forward_numpy(network: Network, weights: Arrays, inputs: np.ndarray, memory: np.ndarray | None = None):
    """Numpy twin of `nets.forward`: (S, n, rows, inputs) -> (S, n, rows, outputs) and the new memory or None."""
    seeds, n, rows, _ = inputs.shape
    x = inputs.reshape(seeds, n * rows, -1)
    for layer in range(network.plain_layers):
        x = np.matmul(x, weights[f"weight{layer}"]).reshape(seeds, n, rows, -1)
        x += weights[f"bias{layer}"][:, None]
        if layer == 0 and network.layer_norm:
            x -= x.mean(axis=-1, keepdims=True)
            x /= np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + 1e-5)
            x = x * weights["norm_gain"][:, None] + weights["norm_shift"][:, None]
        x = tanh(x) if network.activation == "tanh" else np.maximum(x, 0, out=x)
        x = x.reshape(seeds, n * rows, -1)
    if network.recurrent and memory is not None:
        x = _gru(weights, x, memory.reshape(seeds, n * rows, -1))
        memory = x.reshape(seeds, n, rows, -1)
    out = np.matmul(x, weights["weight_out"]) + weights["bias_out"]
    return out.reshape(seeds, n, rows, -1), memory


def _gru(weights: Arrays, x: np.ndarray, memory: np.ndarray) -> np.ndarray:
    from_input = np.split(x @ weights["gru_input"] + weights["gru_input_bias"], 3, axis=-1)
    from_memory = np.split(memory @ weights["gru_memory"] + weights["gru_memory_bias"], 3, axis=-1)
    reset, update = (1.0 / (1.0 + np.exp(-(from_input[i] + from_memory[i]))) for i in (0, 1))
    candidate = np.tanh(from_input[2] + reset * from_memory[2])
    return (1 - update) * candidate + update * memory


@dataclass
class Policy:
    """Greedy Gaussian policy of S seeds; `act` gives the lanes to the seeds in equal blocks, in order."""

    network: Network
    weights: Arrays
    inputs: Inputs
    sees: str
    num_agents: int
    action_size: int
    low: float
    high: float
    fixed_std: float | None = None
    memory: np.ndarray | None = None

    @property
    def num_seeds(self) -> int:
        return len(self.weights["weight_out"])

    @property
    def std(self) -> np.ndarray:
        """(S, A, action_size) deviation before tanh."""
        shape = (self.num_seeds, self.num_agents, self.action_size)
        if self.fixed_std is not None:
            return np.full(shape, self.fixed_std, dtype=self.weights["weight_out"].dtype)
        return np.exp(self.weights["log_std"]).reshape(shape)

    def to_action(self, pre_tanh: np.ndarray) -> np.ndarray:
        """Squash to [low, high], as float64 for the world."""
        squashed = np.tanh(pre_tanh.astype(np.float64))
        return self.low + 0.5 * (self.high - self.low) * (squashed + 1.0)

    def mean(self, seen: np.ndarray, memory: np.ndarray | None = None):
        """Pre-tanh means (S, n, A, action_size) for scaled inputs (S, n, rows, features), and the new memory."""
        out, memory = forward_numpy(self.network, self.weights, seen, memory)
        return out.reshape(*out.shape[:2], self.num_agents, self.action_size), memory

    def reset(self, where: np.ndarray | None = None) -> None:
        """Forget the recurrent state, of all lanes or of the lanes `where` (E,) is true."""
        if where is None or self.memory is None:
            self.memory = None
        else:
            self.memory.reshape(-1, self.network.rows, self.network.memory)[where] = 0.0

    def act(self, observation: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
        """Greedy actions (E, A, action_size) for observations (E, A, F), and states (E, Z) if the policy sees them.

        Raises:
            BadInput: E is no multiple of the number of seeds, or the policy needs a state and got none.
        """
        lanes = len(observation)
        if lanes % self.num_seeds:
            raise BadInput(
                f"{lanes} lanes cannot be shared by {self.num_seeds} seeds; use a multiple of {self.num_seeds}"
            )
        seen = self.inputs.see(self.sees, observation, state)
        if self.network.recurrent and (self.memory is None or self.memory.shape[1] != seen.shape[1]):
            self.memory = np.zeros((*seen.shape[:3], self.network.memory), dtype=seen.dtype)
        mean, self.memory = self.mean(seen, self.memory)
        return self.to_action(mean).reshape(lanes, self.num_agents, self.action_size)

    def seed(self, index: int) -> "Policy":
        """The policy of one seed, by its place."""
        pick = slice(index, index + 1)
        weights = {name: array[pick].copy() for name, array in self.weights.items()}
        return replace(self, weights=weights, inputs=self.inputs.seed(index), memory=None)

    def copy(self) -> "Policy":
        """A snapshot that later training does not change."""
        return replace(self, weights={name: array.copy() for name, array in self.weights.items()}, memory=None)

    def arrays(self) -> Arrays:
        """All numbers under flat names."""
        groups = {"weights": self.weights, "inputs": self.inputs.arrays()}
        return {f"{group}.{k}": np.ascontiguousarray(v) for group, named in groups.items() for k, v in named.items()}

    def card(self) -> dict:
        """What else is needed to rebuild the policy, as plain values."""
        names = ("sees", "num_agents", "action_size", "low", "high", "fixed_std")
        return {"format": FORMAT, "network": asdict(self.network)} | {name: getattr(self, name) for name in names}


class Acting:
    """Exploration for T steps in all lanes; one compiled call a step where the network allows it, else in numpy.

    Attributes:
        actor_input: (T, S, E, rows, features), scaled.
        mean, pre_tanh: (T, S, E, A, action_size), without and with noise.
    """

    def __init__(self, policy: Policy, noise: np.ndarray) -> None:
        """`policy` as it is now; `noise` (S, E, T, A, action_size) is added to its means."""
        network = policy.network
        self.policy = policy
        self.noise = np.ascontiguousarray(np.moveaxis(noise, 2, 0))
        self.actor_input = np.empty((*self.noise.shape[:3], network.rows, network.inputs), noise.dtype)
        self.mean, self.pre_tanh = np.empty_like(self.noise), np.empty_like(self.noise)
        self.compiled = fast_mlp.fits(network) and noise.dtype == np.float32
        if self.compiled:
            weights = [policy.weights[name].reshape(len(noise), -1) for name in network.shapes()]
            scales = policy.inputs.scales(policy.sees)
            self._fixed = np.concatenate(weights, axis=1), fast_mlp.sizes(network), *scales, policy.low, policy.high

    def act(self, t: int, observation: np.ndarray, state: np.ndarray | None, memory: np.ndarray | None = None):
        """Actions (S * E, A, action_size) of step `t` in the world's range, and the new memory."""
        policy, seen, mean, pre_tanh = self.policy, self.actor_input[t], self.mean[t], self.pre_tanh[t]
        if self.compiled:
            raw = policy.inputs.raw(policy.sees, observation, state)
            actions = fast_mlp.act(*self._fixed, raw, self.noise[t], seen, mean, pre_tanh)
        else:
            seen[:] = policy.inputs.see(policy.sees, observation, state)
            mean[:], memory = policy.mean(seen, memory)
            pre_tanh[:] = mean + self.noise[t]
            actions = policy.to_action(pre_tanh)
        return actions.reshape(-1, policy.num_agents, policy.action_size), memory


def build_policy(arrays: Arrays, card: dict) -> Policy:
    """Policy from what `Policy.arrays` and `Policy.card` gave."""
    if card.get("format") != FORMAT:
        raise BadInput(
            f"policy card has format {card.get('format')!r}, this version reads {FORMAT}; train or export it again"
        )
    network = Network(**{**card["network"], "hidden": tuple(card["network"]["hidden"])})
    weights = {name.removeprefix("weights."): a for name, a in arrays.items() if name.startswith("weights.")}
    scales = {name.removeprefix("inputs."): a for name, a in arrays.items() if name.startswith("inputs.")}
    rest = {name: value for name, value in card.items() if name not in ("format", "network")}
    return Policy(network=network, weights=weights, inputs=Inputs(**scales), **rest)


def save_policy(path: str | Path, policy: Policy) -> None:
    """Write `path`.safetensors and `path`.json, each complete or not at all."""
    policy_files.write(path, policy.arrays(), policy.card())


def load_policy(path: str | Path) -> Policy:
    """Read a policy that `save_policy` wrote.

    Raises:
        BadInput: a file is missing or was written by another format.
    """
    return build_policy(*policy_files.read(path))
