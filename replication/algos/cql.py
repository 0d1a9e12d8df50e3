"""Conservative Q-learning for agents with discrete actions: all seeds side by side, one optimiser step per update."""

import numpy as np

from replication.algos import cql_backbones
from replication.algos.cql_kernels import NUMBERS, Batch, Rules, Seen
from replication.algos.cql_settings import CQLSettings
from replication.algos.discrete_policy import DiscretePolicy
from replication.algos.nets import Arrays
from replication.algos.relu_mlp import Nets, room_for
from replication.algos.scaling import Scaling
from replication.settings import BadInput

__all__ = ["CQL", "Batch"]
MOST_JOINT_AGENTS = 5


class CQL:
    """The learner of S seeds; results of a seed do not depend on the others.

    Networks per seed: one per agent, or one that all share, or one over joint observations and actions.
    """

    def __init__(
        self,
        settings: CQLSettings,
        agents: int,
        features: int,
        actions: int,
        seeds: tuple[int, ...],
        inputs: Scaling,
    ) -> None:
        """Fresh networks for observations (agents, features) and `actions` per agent, scaled by `inputs`.

        Raises:
            BadInput: too many agents for joint actions, or a scaling of another shape.
        """
        self.settings, self.seeds, self.inputs = settings, tuple(seeds), inputs
        self.agents, self.features, self.actions = agents, features, actions
        self.joint = settings.paradigm == "centralised"
        if self.joint and agents > MOST_JOINT_AGENTS:
            raise BadInput(
                f"paradigm 'centralised' values every joint action, {actions}^{agents} here; "
                f"it takes at most {MOST_JOINT_AGENTS} agents; use 'ctde'"
            )
        shape = (len(self.seeds), agents, features)
        if inputs.mean.shape != shape:
            raise BadInput(
                f"the scaling has shape {inputs.mean.shape}, but (seeds, agents, features) is {shape}; "
                "fit it to the data these seeds learn from"
            )
        self.heads = 1 if self.joint else agents
        self.nets = 1 if self.joint or settings.share_weights else agents
        self.parts = self._fresh()
        self.beta = np.full((len(self.seeds), self.nets), settings.temperature, np.float32)
        self.beta_moments = np.zeros((2, *self.beta.shape))
        self.surplus = np.zeros(self.beta.shape)
        self.rules = _rules(settings)
        self._samples = 0

    @property
    def actor(self) -> Nets:
        """The networks that act."""
        return self.parts["critic" if self.settings.backbone == "dqn" else "actor"]

    def update(self, batch: Batch) -> Arrays:
        """One optimiser step on every network; returns numbers (S,) of the losses before it.

        Losses are sums over agents and means over samples and twin critics. critic_loss: 0.5 TD^2 + conservatism
        times `conservative`. data_q: value of the logged actions; mean_q: of the policy's (greedy for dqn, V for iql);
        both of the team where values are mixed, else mean over agents. entropy: mean over agents.
        """
        self.differentiate(batch)
        numbers = self._report()
        for name, part in self.parts.items():
            part.step(self.settings.learning_rate, self.settings.clip, self.settings.target_rate)
            if name == "actor" and self.settings.entropy_target is not None and self.settings.backbone == "sac":
                self._tune(part.steps)
        return numbers

    def differentiate(self, batch: Batch) -> None:
        """Fill every network's `gradient` and `self.numbers` (S, names) without a step."""
        self._make_room(batch.reward.shape[1])
        kinds = (np.float32, bool, np.int64, np.float32, np.float32, bool, np.float32)
        batch = Batch(*(np.ascontiguousarray(array, kind) for array, kind in zip(batch, kinds, strict=True)))
        scales = self.inputs.mean, self.inputs.factor
        parts = {name: self._compiled(name) for name in self.parts}
        self.numbers[:] = 0.0
        backbone = self.settings.backbone
        if backbone == "dqn":
            cql_backbones.dqn(batch, scales, self.seen, self.rules, parts["critic"], self.numbers)
        elif backbone == "sac":
            tuned = self.beta, self.surplus, self.numbers
            cql_backbones.sac(batch, scales, self.seen, self.rules, parts["critic"], parts["actor"], *tuned)
        elif backbone == "iql":
            nets = parts["critic"], parts["value"], parts["actor"]
            cql_backbones.iql(batch, scales, self.seen, self.rules, *nets, self.weight, self.numbers)
        else:
            cql_backbones.bc(batch, scales, self.seen, parts["actor"], self.numbers)

    def policy(self) -> DiscretePolicy:
        """A view of the policy as it is now; `.copy()` keeps it."""
        return DiscretePolicy(
            weights=self.actor.flat,
            scaling=self.inputs,
            hidden=self.settings.hidden,
            num_agents=self.agents,
            action_size=self.actions,
            outputs="values" if self.settings.backbone == "dqn" else "logits",
            centralised=self.joint,
        )

    def state(self) -> dict:
        """Everything a checkpoint needs."""
        parts = {name: part.state() for name, part in self.parts.items()}
        return {"parts": parts, "beta": self.beta, "beta_moments": self.beta_moments}

    def restore(self, state: dict) -> None:
        """Continue from `state()`."""
        for name, part in self.parts.items():
            part.restore(state["parts"][name])
        self.beta[:], self.beta_moments[:] = state["beta"], state["beta_moments"]

    def _fresh(self) -> dict[str, Nets]:
        width = self.features * (self.agents if self.joint else 1)
        outputs = self.actions ** (self.agents if self.joint else 1)
        sizes, values = (width, *self.settings.hidden, outputs), (width, *self.settings.hidden, 1)
        parts = {}
        if self.settings.critics:
            nets = self.settings.critics * self.nets
            parts["critic"] = Nets(sizes, nets, self.seeds, "first weights of critics", target=True)
        if self.settings.backbone == "iql":
            parts["value"] = Nets(values, self.nets, self.seeds, "first weights of values")
        if self.settings.backbone != "dqn":
            parts["actor"] = Nets(sizes, self.nets, self.seeds, "first weights of actors")
        return parts

    def _make_room(self, samples: int) -> None:
        """Room for batches of `samples`, kept from update to update."""
        if samples == self._samples:
            return
        self._samples = samples
        rows, heads = samples * self.heads // self.nets, self.heads
        self.rooms = {name: room_for(part.flat.shape[1], rows, part.sizes) for name, part in self.parts.items()}
        self.others = {name: np.zeros_like(room.out) for name, room in self.rooms.items()}
        width, actions, f = self.actor.sizes[0], self.actor.sizes[3], np.float32
        now, later = (np.zeros((heads, samples, width), f) for _ in range(2))
        self.seen = Seen(
            now=now,
            later=later,
            now_rows=now.reshape(self.nets, rows, width),
            later_rows=later.reshape(self.nets, rows, width),
            mask=np.zeros((heads, samples, actions), bool),
            later_mask=np.zeros((heads, samples, actions), bool),
            action=np.zeros((heads, samples), np.int64),
            reward=np.zeros(samples, f),
            goes_on=np.zeros(samples, f),
            after=np.zeros((heads, samples), f),
            least=np.zeros((heads, samples, actions), f),
            chances=np.zeros((heads, samples, actions), f),
        )
        self.weight = np.zeros((heads, samples), f)
        self.numbers = np.zeros((len(self.seeds), len(NUMBERS)))

    def _compiled(self, name: str) -> tuple:
        part = self.parts[name]
        return part.flat, part.gradient, part.target, part.sizes, self.rooms[name], self.others[name]

    def _report(self) -> Arrays:
        """Numbers (S,) that this backbone has."""
        named = dict(zip(NUMBERS, self.numbers.T.copy(), strict=True))
        twins = max(self.settings.critics, 1)
        for name in ("td_loss", "conservative", "data_q"):
            named[name] /= twins
        named["critic_loss"] = named["td_loss"] + float(self.rules.conservatism) * named["conservative"]
        named["temperature"] = self.beta.mean(axis=1)
        values = ("critic_loss", "td_loss", "data_q", "mean_q")
        names = {
            "dqn": (*values, "conservative"),
            "sac": (*values, "conservative", "actor_loss", "entropy", "temperature"),
            "iql": (*values, "value_loss", "actor_loss", "entropy"),
            "bc": ("actor_loss", "entropy"),
        }
        return {name: named[name] for name in names[self.settings.backbone]}

    def _tune(self, steps: int) -> None:
        """Adam on the logarithm of the temperature along beta (H - target).

        Source: discrete soft actor-critic (1910.07207), L = E[beta (H - H_target)].
        """
        slope, (first, second) = self.beta * self.surplus, self.beta_moments
        first += 0.1 * (slope - first)
        second += 0.001 * (slope**2 - second)
        step = first / (1 - 0.9**steps) / (np.sqrt(second / (1 - 0.999**steps)) + 1e-8)
        self.beta *= np.exp(-self.settings.learning_rate * step)


def _rules(settings: CQLSettings) -> Rules:
    conservative = settings.conservatism if settings.backbone in ("dqn", "sac") else 0.0
    return Rules(
        mixed=settings.paradigm == "ctde",
        double=settings.double,
        discount=np.float32(settings.discount),
        conservatism=np.float32(conservative),
        data_term=np.float32(settings.penalty == "cql"),
        entropy_backup=np.float32(settings.entropy_backup),
        entropy_target=np.float32(settings.entropy_target or 0.0),
        expectile=np.float32(settings.expectile),
        advantage_temperature=np.float32(settings.advantage_temperature),
    )
