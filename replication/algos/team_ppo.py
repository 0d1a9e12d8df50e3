"""Proximal policy optimisation of a team with discrete or continuous actions: one update on one segment.

Source: 1707.06347 (clipped surrogate), 2103.01955 (multi-agent form), 2401.10949, area 1 (alignment beside the task).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from replication import seeding
from replication.algos.advantages import ReturnScale, gae, normalise
from replication.algos.alignment import make_alignment
from replication.algos.batches import after_step
from replication.algos.fast_mlp import sizes
from replication.algos.nets import Arrays
from replication.algos.optimisers import Trainable
from replication.algos.team_kernels import NUMBERS, choice_gradient, critic_gradient, gaussian_gradient
from replication.algos.team_mlp import outputs_of
from replication.algos.team_nets import Layout, first_weights, trainable
from replication.algos.team_policy import TeamPolicy
from replication.algos.team_rollout import TeamSegment
from replication.algos.team_settings import TeamSettings
from replication.algos.team_view import View, joined


@dataclass
class TeamSamples:
    """What one update learns from, by network: (G, E * T * rows, ...), see `Layout`."""

    seen: np.ndarray  # (G, n, F)
    critic_sees: np.ndarray  # (G, n, F + X)
    mask: np.ndarray | None  # (G, n, U)
    drawn: np.ndarray  # (G, n) choices or (G, n, U) points before tanh
    old: np.ndarray  # (G, n) log-probabilities
    gain: np.ndarray  # (G, n) advantages
    target: list[np.ndarray]  # of each critic (G, n) in its units


class TeamLearner:
    """Actors, critics, optimisers, return scales and alignment of all seeds.

    Attributes:
        frozen: agents whose independent actors do not learn for now.
        seconds: wall-clock time spent so far in alignment and in whole updates.
    """

    def __init__(self, settings: TeamSettings, world, seeds: tuple[int, ...]) -> None:
        s, view = settings, View.of(settings)
        self.settings, self.seeds, self.layout = settings, seeds, Layout(s.nets, world.num_agents)
        self.discrete, self.action_size = world.action_kind == "discrete", world.action_size
        self.limits = (0.0, 0.0) if self.discrete else (float(world.action_low), float(world.action_high))
        self.frozen: tuple[int, ...] = ()
        self.seconds = {"alignment": 0.0, "update": 0.0}
        self.quantiles = s.quantiles if s.critic == "quantile" else 1
        self.actor = self._net("actor", view.actor_size(world), self.action_size, not self.discrete)
        # a net for each kind of value: one for both would let an alignment too weak to matter change the task's values
        names = ("critic", "critic of alignment")[: s.streams]
        self.critics = {name: self._net(name, view.critic_size(world), self.quantiles, False) for name in names}
        self.returns = [ReturnScale(len(seeds), s.value_scale_decay, enabled=True) for _ in range(s.streams)]
        self.alignment = make_alignment(s.alignment, self.layout, seeds, world)

    def _net(self, name: str, inputs: int, outputs: int, std: bool) -> Trainable:
        s = self.settings
        network = self.layout.network(inputs, outputs, s.hidden, s.activation, std)
        gain = s.last_layer_gain if name == "actor" else 1.0
        purpose = f"team {name} weights"
        return trainable(
            network, first_weights(network, self.layout, self.seeds, purpose, gain, s.initial_std, s.common_start)
        )

    def policy(self) -> TeamPolicy:
        """The current policy; it shares the weights' memory."""
        face = (self.settings.assignment, self.action_size, self.discrete, *self.limits)
        return TeamPolicy(self.actor.network, self.actor.flat.numpy(), self.layout, *face)

    def update(self, segment: TeamSegment, update: int, learning_rate: float, progress: float = 0.0) -> Arrays:
        """Improve on one segment; returns numbers per seed (S,) for the curves.

        Args:
            update: number of this update, for its draws. progress: share of training done, for fading alignment.
        """
        start = perf_counter()
        self.alignment.begin(progress)
        samples = self._samples(segment, update)
        with self._aligning():
            self.alignment.prepare(segment, self.actor, update)
        held = self._frozen_weights()
        for part in self._parts(update):
            losses = self._step_critic(samples, part, learning_rate)
            numbers = self._step_actor(samples, part, learning_rate)
        self._put_back(held)
        with self._aligning():
            self.alignment.finish(self.actor, update)
        self.seconds["update"] += perf_counter() - start
        per_net = losses | numbers
        curves = {name: np.asarray(v).reshape(len(self.seeds), -1).mean(axis=1) for name, v in per_net.items()}
        return curves | self.alignment.numbers

    def _aligning(self) -> "_Clock":
        return _Clock(self.seconds, "alignment")

    def _parts(self, update: int) -> Iterator[np.ndarray]:
        """Sample numbers (S, m) of each minibatch."""
        count = self.settings.envs * self.settings.segment
        generators = [seeding.stream("team minibatches", seed, update) for seed in self.seeds]
        for _ in range(self.settings.epochs):
            order = np.stack([generator.permutation(count) for generator in generators])
            yield from np.array_split(order, self.settings.minibatches, axis=1)

    def _step_critic(self, samples: TeamSamples, part: np.ndarray, learning_rate: float) -> Arrays:
        losses, norms = np.empty((2, len(self.critics), len(samples.seen)))
        for stream, critic in enumerate(self.critics.values()):
            data: Any = (samples.critic_sees, samples.target[stream], part, self.settings.huber_delta, losses[stream])
            critic_gradient(*self._weights(critic), *data)
            norms[stream] = critic.clip(self.settings.gradient_clip).numpy()
            critic.step(learning_rate)
        return {"value_loss": losses[0], "critic_gradient_norm": norms[0]}

    def _step_actor(self, samples: TeamSamples, part: np.ndarray, learning_rate: float) -> Arrays:
        found = np.empty((len(samples.seen), len(NUMBERS)))
        allowed = (samples.mask,) if self.discrete else ()
        data: Any = (samples.seen, *allowed, samples.drawn, samples.old, samples.gain, part)
        gradient: Any = choice_gradient if self.discrete else gaussian_gradient
        gradient(*self._weights(self.actor), *data, self.settings.clip, self.settings.entropy, found)
        with self._aligning():
            self.alignment.add_gradient(self.actor)
        norm = self.actor.clip(self.settings.gradient_clip)
        self.actor.step(learning_rate)
        names = ("policy_loss", "clipped_share", "entropy")
        return dict(zip(names, found.T, strict=True)) | {"actor_gradient_norm": norm.numpy()}

    def _weights(self, trained: Trainable) -> Any:
        network = trained.network
        relu = network.activation == "relu"
        return trained.flat.numpy(), trained.gradient.numpy(), sizes(network), relu, self.layout.rows

    def _samples(self, segment: TeamSegment, update: int) -> TeamSamples:
        """Advantages and targets; alignment's rewards have a value and an advantage of their own."""
        critic_sees = joined(segment.seen, segment.extra)
        rewards = self._rewards(segment, update)
        now, after = self._values(segment, critic_sees)
        cut = segment.cut
        ended = self._ended(segment)
        gains, targets = [], []
        for stream, reward in enumerate(rewards):
            scale = self.returns[stream]
            value, following = scale.to_returns(now[..., stream]), scale.to_returns(after[..., stream])
            gain = gae(reward, value, following, ended, cut, self.settings.gamma, self.settings.gae_lambda)
            scale.update(gain + value)
            gains.append(self.alignment.weigh(gain) if stream else normalise(gain))
            targets.append(scale.to_scaled(gain + value))
        gain = np.sum(gains, axis=0)
        discrete = self.discrete
        return TeamSamples(
            seen=self._grouped(segment.seen),
            critic_sees=self._grouped(critic_sees),
            mask=None if segment.mask is None else self._grouped(segment.mask),
            drawn=self._grouped(segment.drawn[..., None])[..., 0] if discrete else self._grouped(segment.drawn),
            old=self._grouped(segment.log_probability[..., None])[..., 0],
            gain=self._grouped(gain[..., None])[..., 0].astype(np.float32, copy=False),
            target=[self._grouped(one[..., None])[..., 0].astype(np.float32, copy=False) for one in targets],
        )

    def _ended(self, segment: TeamSegment) -> np.ndarray:
        return segment.cut if self.settings.time_limit == "terminal" else segment.terminated

    def _rewards(self, segment: TeamSegment, update: int) -> list[np.ndarray]:
        """Rewards (S, E, T, A) of every stream."""
        task = segment.reward
        if self.settings.shared_reward:
            task = np.repeat(task.mean(axis=-1, keepdims=True), task.shape[-1], axis=-1)
        with self._aligning():
            shaping = self.alignment.shaping(segment, self._ended(segment), self.settings.gamma)
            own = self.alignment.rewards(segment, update)
        if shaping is not None:
            task = task + shaping[..., None].astype(np.float32)
        return [task] if own is None else [task, own]

    def _values(self, segment: TeamSegment, critic_sees: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (S, E, T, A, streams) before each step, and of what it reached before any reset."""
        now, last = self.value(critic_sees), self.value(segment.last)
        finals = {t: self.value(seen) for t, seen in segment.finals.items()}
        return now, after_step(now, last, finals, segment.cut)

    def value(self, inputs: np.ndarray) -> np.ndarray:
        """Critic's means (S, ..., A, streams) in its own units for inputs (S, ..., A, F + X)."""
        grouped, values = self._grouped(inputs), []
        for critic in self.critics.values():
            flat, _, size, relu, _ = self._weights(critic)
            out = self.layout.ungroup(outputs_of(flat, size, relu, grouped), *inputs.shape[1:-2])
            values.append(out.mean(axis=-1))
        return np.stack(values, axis=-1)

    def _grouped(self, values: np.ndarray) -> np.ndarray:
        return self.layout.group(values)

    def _frozen_weights(self) -> np.ndarray | None:
        if not self.frozen:
            return None
        return self._by_agent()[:, list(self.frozen)].copy()

    def _put_back(self, held: np.ndarray | None) -> None:
        if held is not None:
            self._by_agent()[:, list(self.frozen)] = held

    def _by_agent(self) -> np.ndarray:
        """(S, nets, P) view of the actors' weights."""
        return self.actor.flat.numpy().reshape(len(self.seeds), self.layout.nets, -1)

    def state(self) -> dict:
        """Everything a checkpoint needs."""
        scales = {str(stream): scale.sums.copy() for stream, scale in enumerate(self.returns)}
        nets = {"actor": self.actor.state()} | {name: critic.state() for name, critic in self.critics.items()}
        return nets | {"returns": scales, "alignment": self.alignment.state(), "seconds": dict(self.seconds)}

    def restore(self, state: dict) -> None:
        """Continue from `state()`."""
        self.actor.restore(state["actor"])
        for name, critic in self.critics.items():
            critic.restore(state[name])
        for stream, scale in enumerate(self.returns):
            scale.sums = np.array(state["returns"][str(stream)])
        self.alignment.restore(state["alignment"])
        self.seconds = {name: float(spent) for name, spent in state["seconds"].items()}


class _Clock:
    """Adds the time spent inside it to one of the `seconds`."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self.seconds, self.name = seconds, name

    def __enter__(self) -> None:
        self.start = perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds[self.name] += perf_counter() - self.start
