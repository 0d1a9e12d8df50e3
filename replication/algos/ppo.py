"""Proximal policy optimisation for many seeds at once: losses and one update on one segment.

Source: 1707.06347 (clipped surrogate), 2103.01955 (multi-agent form). The action is a = tanh(u), u ~ N(mean, std); the
ratio of densities is taken at u, where the Jacobian of tanh cancels.
"""

from dataclasses import dataclass
from math import log, pi

import numpy as np
import torch

from replication.algos.advantages import ReturnScale
from replication.algos.batches import Batch
from replication.algos.minibatches import prepare
from replication.algos.nets import Network, forward, initial_weights
from replication.algos.optimisers import Trainable
from replication.algos.policy import Policy
from replication.algos.ppo_settings import PPOSettings
from replication.algos.rollout import Segment


def log_density(point: torch.Tensor, mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """Log-density of a diagonal Gaussian, summed over the last axis."""
    return (-0.5 * torch.square((point - mean) * torch.exp(-log_std)) - log_std - 0.5 * log(2 * pi)).sum(-1)


def surrogate_loss(log_ratio: torch.Tensor, advantage: torch.Tensor, clip: float) -> torch.Tensor:
    """Clipped surrogate loss per seed (S,), to be minimised. Source: 1707.06347, equation 7.

    Args:
        log_ratio, advantage: (S, n, rows).
    """
    ratio = torch.exp(log_ratio)
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantage, clipped * advantage).mean(dim=(1, 2))


def value_loss(value: torch.Tensor, target: torch.Tensor, old: torch.Tensor, settings: PPOSettings) -> torch.Tensor:
    """Critic loss per seed (S,); value, target, old: (S, n, heads) in the critic's units."""

    def penalty(error: torch.Tensor) -> torch.Tensor:
        if settings.value_loss == "squared":
            return torch.square(error)
        return torch.nn.functional.huber_loss(error, torch.zeros_like(error), "none", settings.huber_delta)

    loss = penalty(value - target)
    if settings.value_clip is not None:
        clipped = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
        loss = torch.maximum(loss, penalty(clipped - target))
    return settings.value_coefficient * loss.mean(dim=(1, 2))


@dataclass(frozen=True)
class Face:
    """The sizes of a world that shape the networks."""

    num_agents: int
    observation_size: int
    state_size: int
    action_size: int
    low: float
    high: float

    @staticmethod
    def of(world) -> "Face":
        sizes = (world.num_agents, world.observation_size, world.state_size, world.action_size)
        return Face(*sizes, float(world.action_low), float(world.action_high))

    def sight(self, sees: str) -> tuple[int, int]:
        """(rows, features) of a network's input."""
        everything = {"all": self.num_agents * self.observation_size, "state": self.state_size}
        return (self.num_agents, self.observation_size) if sees == "own" else (1, everything[sees])


def networks(settings: PPOSettings, face: Face) -> tuple[Network, Network]:
    """Actor and critic; a centralised actor has one row with all agents' actions."""
    rows, features = face.sight(settings.actor_sees)
    shared = {"hidden": settings.hidden, "activation": settings.activation, "layer_norm": settings.layer_norm}
    outputs = face.action_size * (face.num_agents // rows)
    learned = settings.std == "learned"
    actor = Network(rows, features, outputs, recurrent=settings.recurrent, learned_std=learned, **shared)
    rows, features = face.sight(settings.critic_sees)
    heads = 1 if settings.shared_reward or rows > 1 else face.num_agents
    return actor, Network(rows, features, heads, **shared)


class Learner:
    """Actor, critic, optimisers and return scale of all seeds."""

    def __init__(self, settings: PPOSettings, face: Face, seeds: tuple[int, ...]) -> None:
        self.settings, self.face, self.seeds = settings, face, seeds
        self.device = torch.device(settings.device)
        actor, critic = networks(settings, face)
        rule, last = settings.initialisation, settings.last_layer_gain
        first = initial_weights(actor, seeds, "actor weights", rule=rule, last_gain=last, std=settings.initial_std)
        self.actor = self._trainable(actor, first)
        self.critic = self._trainable(
            critic, initial_weights(critic, seeds, "critic weights", rule=rule, last_gain=1.0)
        )
        self.returns = ReturnScale(len(seeds), settings.value_scale_decay, settings.value_normalisation == "running")

    def _trainable(self, network: Network, flat: np.ndarray) -> Trainable:
        weights = torch.as_tensor(flat).to(self.device, getattr(torch, self.settings.precision))
        return Trainable(network, weights, self.settings.optimiser)

    def policy(self, inputs) -> Policy:
        """The current policy; on the CPU it shares the weights' memory, elsewhere it is a copy."""
        weights = {name: leaf.detach().cpu().numpy() for name, leaf in self.actor.leaves.items()}
        face, fixed = self.face, self.settings.initial_std if self.settings.std == "fixed" else None
        sizes = (self.settings.actor_sees, face.num_agents, face.action_size, face.low, face.high)
        return Policy(self.actor.network, weights, inputs, *sizes, fixed_std=fixed)

    def update(self, segment: Segment, update: int, learning_rate: float) -> dict[str, np.ndarray]:
        """Improve actor and critic on one segment; returns numbers per seed (S,) for the curves."""
        prepared = prepare(self.settings, segment, self.value, self.returns, self.seeds, update)
        numbers: dict[str, torch.Tensor] = {}
        for batch in (batch.to(self.device) for batch in prepared.critic):
            numbers |= self._critic_step(batch, learning_rate)
        for batch in (batch.to(self.device) for batch in prepared.actor):
            numbers |= self._actor_step(batch, learning_rate)
        return {name: value.detach().cpu().numpy().astype(np.float64) for name, value in numbers.items()}

    def value(self, inputs: np.ndarray) -> np.ndarray:
        """Critic outputs (S, n..., heads) in the critic's units for scaled inputs (S, n..., rows, features)."""
        flat = torch.from_numpy(inputs.reshape(len(inputs), -1, *inputs.shape[-2:])).to(self.device)
        with torch.no_grad():
            out, _ = forward(self.critic.network, self.critic.leaves, flat)
        return out.cpu().numpy().reshape(*inputs.shape[:-2], -1)

    def _critic_step(self, batch: Batch, learning_rate: float) -> dict[str, torch.Tensor]:
        value, _ = forward(self.critic.network, self.critic.leaves, batch.critic_input)
        value = value.flatten(2)
        target = batch.target
        if self.settings.value_target == "one_step":
            with torch.no_grad():
                after, _ = forward(self.critic.network, self.critic.leaves, batch.next_critic_input)
            target = batch.target + self.settings.gamma * batch.goes_on * after.flatten(2)
        loss = value_loss(value, target, batch.old_value, self.settings)
        norm = self._descend(self.critic, loss, learning_rate)
        return {"value_loss": loss, "critic_gradient_norm": norm}

    def _actor_step(self, batch: Batch, learning_rate: float) -> dict[str, torch.Tensor]:
        log_std = self.actor.leaves.get("log_std")
        log_std = torch.log(batch.std) if log_std is None else log_std
        log_std = log_std.view(len(log_std), *self._acting_shape())
        mean = self._means(batch)
        log_ratio = log_density(batch.point, mean, log_std.unsqueeze(1)) - batch.old_log_probability
        entropy = (log_std + 0.5 * log(2 * pi) + 0.5).sum(-1).mean(-1)
        loss = surrogate_loss(log_ratio, batch.advantage, self.settings.clip) - self.settings.entropy * entropy
        norm = self._descend(self.actor, loss, learning_rate)
        outside = (torch.exp(log_ratio) - 1).abs() > self.settings.clip
        return {
            "policy_loss": loss,
            "actor_gradient_norm": norm,
            "clipped_share": outside.to(log_ratio.dtype).mean(dim=(1, 2)),
        }

    def _acting_shape(self) -> tuple[int, int]:
        return self.actor.network.rows, self.actor.network.outputs

    def _means(self, batch: Batch) -> torch.Tensor:
        """(S, n, rows, outputs); a recurrent actor unrolls chunks of `backpropagation_steps` from stored memories."""
        if not self.settings.recurrent:
            return forward(self.actor.network, self.actor.leaves, batch.actor_input)[0]
        seeds, n, *rest = batch.actor_input.shape
        chunks = (seeds, -1, self.settings.backpropagation_steps)
        inputs = batch.actor_input.view(*chunks, *rest)
        keeps = batch.keeps_memory.view(*chunks, 1, 1)
        memory = batch.memory.view(*chunks, *batch.memory.shape[2:])[:, :, 0]
        means = []
        for t in range(chunks[2]):
            memory = memory if t == 0 else memory * keeps[:, :, t]
            mean, memory = forward(self.actor.network, self.actor.leaves, inputs[:, :, t], memory)
            means.append(mean)
        return torch.stack(means, dim=2).view(seeds, n, *self._acting_shape())

    def _descend(self, trained: Trainable, loss: torch.Tensor, learning_rate: float) -> torch.Tensor:
        trained.differentiate(loss)
        norm = trained.clip(self.settings.gradient_clip)
        trained.step(learning_rate)
        return norm

    def state(self) -> dict:
        """Everything a checkpoint needs."""
        return {"actor": self.actor.state(), "critic": self.critic.state(), "returns": self.returns.sums.copy()}

    def restore(self, state: dict) -> None:
        """Continue from `state()`."""
        self.actor.restore(state["actor"])
        self.critic.restore(state["critic"])
        self.returns.sums = np.array(state["returns"])
