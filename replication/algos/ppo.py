"""Proximal policy optimisation for many seeds at once: losses and one update on one segment.

Source: 1707.06347 (clipped surrogate), 2103.01955 (multi-agent form). The action is a = tanh(u), u ~ N(mean, std); the
ratio of densities is taken at u, where the Jacobian of tanh cancels.
"""

from dataclasses import dataclass
from math import log, pi

import numpy as np
import torch

from replication.algos import fast_ppo
from replication.algos.advantages import ReturnScale
from replication.algos.batches import Batch, Steps, learnable, steps_of
from replication.algos.losses import log_density, surrogate_loss, value_loss
from replication.algos.minibatches import parts, random_batches, window_batches
from replication.algos.nets import Network, forward, initial_weights
from replication.algos.optimisers import Trainable
from replication.algos.policy import Policy
from replication.algos.ppo_settings import PPOSettings
from replication.algos.rollout import Segment
from replication.settings import BadInput


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
    body = settings.hidden, settings.activation, settings.layer_norm
    outputs = face.action_size * (face.num_agents // rows)
    actor = Network(rows, features, outputs, *body, recurrent=settings.recurrent, learned_std=settings.std == "learned")
    rows, features = face.sight(settings.critic_sees)
    heads = 1 if settings.shared_reward or rows > 1 else face.num_agents
    return actor, Network(rows, features, heads, *body)


class Learner:
    """Actor, critic, optimisers and return scale of all seeds."""

    def __init__(self, settings: PPOSettings, face: Face, seeds: tuple[int, ...]) -> None:
        self.settings, self.face, self.seeds = settings, face, seeds
        self.device = torch.device(settings.device)
        if settings.update_path == "blocked" and not fast_ppo.fits(settings):
            raise BadInput(f"update_path 'blocked' needs {fast_ppo.NEEDS}; use 'automatic'")
        self.blocked = settings.update_path != "autograd" and fast_ppo.fits(settings)
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
        steps = steps_of(self.settings, segment, self.value)
        samples = learnable(self.settings, steps, segment.std, self.returns, new=True)
        learn = self._blocked if self.blocked else self._autograd
        numbers = learn(samples, steps, segment.std, update, learning_rate)
        return {name: torch.as_tensor(value).detach().cpu().double().numpy() for name, value in numbers.items()}

    def _blocked(self, samples: Batch, steps: Steps, std: np.ndarray, update: int, learning_rate: float) -> dict:
        for part in parts(self.settings, self.seeds, update):
            critic_loss = fast_ppo.critic_gradient(self.critic, samples, part, self.settings)
            critic_norm = self._descend(self.critic, learning_rate)
            actor_loss, clipped = fast_ppo.actor_gradient(self.actor, samples, part, self.settings)
            actor_norm = self._descend(self.actor, learning_rate)
        return _numbers(critic_loss, critic_norm, actor_loss, actor_norm, clipped)

    def _autograd(self, samples: Batch, steps: Steps, std: np.ndarray, update: int, learning_rate: float) -> dict:
        if self.settings.minibatch_rule == "random":
            pairs = random_batches(self.settings, samples, self.seeds, update)
        else:
            pairs = window_batches(self.settings, steps, std, self.returns, self.seeds, update)
        for for_critic, for_actor in pairs:
            critic_loss = self.critic_loss(for_critic.to(self.device))
            self.critic.differentiate(critic_loss)
            critic_norm = self._descend(self.critic, learning_rate)
            actor_loss, clipped = self.actor_loss(for_actor.to(self.device))
            self.actor.differentiate(actor_loss)
            actor_norm = self._descend(self.actor, learning_rate)
        return _numbers(critic_loss, critic_norm, actor_loss, actor_norm, clipped)

    def _descend(self, trained: Trainable, learning_rate: float) -> torch.Tensor:
        norm = trained.clip(self.settings.gradient_clip)
        trained.step(learning_rate)
        return norm

    def value(self, inputs: np.ndarray) -> np.ndarray:
        """Critic outputs (S, n..., heads) in the critic's units for scaled inputs (S, n..., rows, features)."""
        flat = np.ascontiguousarray(inputs).reshape(len(inputs), -1, *inputs.shape[-2:])
        if self.blocked:
            return fast_ppo.values(self.critic, flat).reshape(*inputs.shape[:-2], -1)
        with torch.no_grad():
            out, _ = forward(self.critic.network, self.critic.leaves, torch.from_numpy(flat).to(self.device))
        return out.cpu().numpy().reshape(*inputs.shape[:-2], -1)

    def critic_loss(self, batch: Batch) -> torch.Tensor:
        """Loss (S,) of a batch of tensors."""
        value, _ = forward(self.critic.network, self.critic.leaves, batch.critic_input)
        target = batch.target
        if self.settings.value_target == "one_step":
            with torch.no_grad():
                after, _ = forward(self.critic.network, self.critic.leaves, batch.next_critic_input)
            target = batch.target + self.settings.gamma * batch.goes_on * after.flatten(2)
        return value_loss(value.flatten(2), target, batch.old_value, self.settings)

    def actor_loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss (S,) of a batch of tensors, and the share of ratios outside the clip (S,)."""
        log_std = self.actor.leaves.get("log_std")
        log_std = torch.log(batch.std) if log_std is None else log_std
        log_std = log_std.view(len(log_std), *self._acting_shape())
        log_ratio = log_density(batch.point, self._means(batch), log_std.unsqueeze(1)) - batch.old_log_probability
        entropy = (log_std + 0.5 * log(2 * pi) + 0.5).sum(-1).mean(-1)
        loss = surrogate_loss(log_ratio, batch.advantage, self.settings.clip) - self.settings.entropy * entropy
        outside = (torch.exp(log_ratio) - 1).abs() > self.settings.clip
        return loss, outside.to(log_ratio.dtype).mean(dim=(1, 2))

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

    def state(self) -> dict:
        """Everything a checkpoint needs."""
        return {"actor": self.actor.state(), "critic": self.critic.state(), "returns": self.returns.sums.copy()}

    def restore(self, state: dict) -> None:
        """Continue from `state()`."""
        self.actor.restore(state["actor"])
        self.critic.restore(state["critic"])
        self.returns.sums = np.array(state["returns"])


def _numbers(critic_loss, critic_norm, actor_loss, actor_norm, clipped) -> dict:
    """Curves of an update, from its last minibatch."""
    losses = {"value_loss": critic_loss, "policy_loss": actor_loss, "clipped_share": clipped}
    return losses | {"critic_gradient_norm": critic_norm, "actor_gradient_norm": actor_norm}
