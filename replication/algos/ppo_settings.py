"""Settings of the PPO family: one learner is IPPO, MAPPO and centralised PPO by what actor and critic may see.

Every defect of the MAPDN code base is a value of one setting, so each can be switched on alone; `AS_SHIPPED` is all,
from MAPDN's code at commit 53cee0d (`critic_sees="own"` for its IPPO).
"""

from typing import Any, Literal, Self

import pydantic

from replication.settings import Settings, setting

MAPPO_PAPER = "MAPPO paper (2103.01955)"
PPO_PAPER = "PPO paper (1707.06347)"


class PPOSettings(Settings):
    """Proximal policy optimisation for agents with continuous actions; the defaults are a correct MAPPO."""

    actor_sees: Literal["own", "all", "state"] = setting(
        "own",
        "own: each agent acts on its own observation; all / state: one centralised actor draws the joint action",
        origin=MAPPO_PAPER,
    )
    critic_sees: Literal["own", "state", "all"] = setting(
        "state", "own: a value per agent; state: global state; all: every agent's observation", origin=MAPPO_PAPER
    )
    shared_reward: bool = setting(True, "every agent learns from the mean reward of all agents", origin="ours (A-20)")

    hidden: tuple[int, ...] = setting((64, 64), "units per hidden layer", unit="unit", origin="MAPDN code, hid_size")
    activation: Literal["tanh", "relu"] = setting("tanh", "activation of the hidden layers", origin="ours (A-21)")
    layer_norm: bool = setting(False, "layer normalisation after the first layer", origin="ours (A-21)")
    recurrent: bool = setting(False, "the actor's last hidden layer is a gated recurrent unit", origin="ours (A-22)")
    backpropagation_steps: int = setting(
        10, "truncation of backpropagation through time", unit="step", origin=MAPPO_PAPER, ge=1
    )
    initialisation: Literal["orthogonal", "normal"] = setting(
        "orthogonal", "orthogonal with gain, or normal with deviation 0.1", origin=MAPPO_PAPER
    )
    last_layer_gain: float = setting(0.01, "gain of the actor's last layer", origin=MAPPO_PAPER, gt=0)
    std: Literal["learned", "fixed"] = setting(
        "learned",
        "deviation of the Gaussian before tanh: one learned number per agent, or constant",
        origin=MAPPO_PAPER,
    )
    initial_std: float = setting(0.37, "first (or constant) deviation before tanh", origin="ours (A-23)", gt=0)
    input_scaling: Literal["fixed", "none"] = setting(
        "fixed", "inputs are standardised with statistics of the first random steps", origin="ours (A-24)"
    )
    scaling_steps: int = setting(
        20, "random-action steps per lane for the input statistics", unit="step", origin="ours (A-24)", ge=2
    )

    envs: int = setting(16, "environment lanes per seed", origin="ours (A-25)", ge=1)
    segment: int = setting(60, "steps between updates", unit="step", origin="ours (A-25)", ge=1)
    time_limit: Literal["truncation", "terminal"] = setting(
        "truncation", "whether the value behind a time limit is bootstrapped or taken as zero", origin="ours (A-26)"
    )
    gamma: float = setting(0.99, "discount per step", origin="MAPDN code, gamma", ge=0, le=1)
    gae_lambda: float = setting(0.95, "decay of generalised advantage estimation", origin=MAPPO_PAPER, ge=0, le=1)

    minibatch_rule: Literal["random", "consecutive"] = setting(
        "random", "random split of the segment, or windows of consecutive steps", origin=MAPPO_PAPER
    )
    epochs: int = setting(
        5, "passes over the segment (random) or windows drawn (consecutive)", origin=MAPPO_PAPER, ge=1
    )
    minibatches: int = setting(2, "parts of a random split", origin="ours (A-25)", ge=1)
    batch_size: int = setting(32, "steps in a consecutive window", unit="step", origin="MAPDN code, batch_size", ge=2)

    optimiser: Literal["adam", "rmsprop"] = setting("adam", "step rule", origin=MAPPO_PAPER)
    learning_rate: float = setting(5e-4, "first learning rate", origin=MAPPO_PAPER, gt=0)
    learning_rate_end: float = setting(5e-5, "last learning rate, reached linearly", origin="ours (A-27)", gt=0)
    gradient_clip: float = setting(
        1.0, "largest gradient norm per seed and network", origin="MAPDN code, grad_clip", gt=0
    )

    clip: float = setting(0.2, "ratio clip of the surrogate", origin=PPO_PAPER, gt=0, lt=1)
    ratio: Literal["log_probability", "stored_action"] = setting(
        "log_probability",
        "what is subtracted as old log-probability; stored_action is the MAPDN defect",
        origin=PPO_PAPER,
    )
    log_probability_at: Literal["pre_tanh", "squashed"] = setting(
        "pre_tanh", "where the Gaussian density is evaluated; squashed is the MAPDN defect", origin="ours (A-28)"
    )
    entropy: float = setting(0.0, "coefficient of the Gaussian's entropy before tanh", origin="ours (A-29)", ge=0)
    advantage: Literal["gae_normalised", "batch_norm"] = setting(
        "gae_normalised",
        "normalised over the segment, or by batch normalisation in each minibatch",
        origin=MAPPO_PAPER,
    )
    reward_normalisation: Literal["none", "batch"] = setting(
        "none", "batch: rewards are normalised within each minibatch, as in MAPDN", origin="ours (A-30)"
    )

    value_target: Literal["gae_return", "one_step"] = setting(
        "gae_return", "critic target; one_step bootstraps from the current critic, as in MAPDN", origin=MAPPO_PAPER
    )
    value_loss: Literal["huber", "squared"] = setting("huber", "critic loss", origin=MAPPO_PAPER)
    huber_delta: float = setting(10.0, "error at which the Huber loss turns linear", origin=MAPPO_PAPER, gt=0)
    value_normalisation: Literal["running", "none"] = setting(
        "running", "the critic predicts returns scaled by running statistics", origin=MAPPO_PAPER
    )
    value_scale_decay: float = setting(
        0.99, "decay per update of the running return statistics", origin="ours (A-31)", gt=0, lt=1
    )
    value_clip: float | None = setting(
        None, "largest change of a value before its loss is clipped; none for off", origin="ours (A-32)", gt=0
    )
    value_coefficient: float = setting(1.0, "factor of the critic loss", origin=MAPPO_PAPER, gt=0)

    device: Literal["cpu", "cuda"] = setting("cpu", "where updates are computed", origin="ours (A-33)")
    precision: Literal["float32", "float64"] = setting("float32", "numbers of the networks", origin="ours (A-33)")
    update_path: Literal["automatic", "autograd", "blocked"] = setting(
        "automatic", "how gradients are computed; both ways give the same numbers", origin="ours (A-34)"
    )

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must name at least one layer of at least one unit, got {self.hidden}")
        if self.minibatch_rule == "random" and self.envs * self.segment < self.minibatches:
            raise ValueError(
                f"minibatches must be <= envs * segment = {self.envs * self.segment}, got {self.minibatches}"
            )
        if self.minibatch_rule == "consecutive" and self.batch_size > self.segment:
            raise ValueError(f"batch_size must be <= segment = {self.segment}, got {self.batch_size}")
        if self.recurrent and len(self.hidden) < 2:
            raise ValueError(f"a recurrent actor needs at least two hidden layers, got hidden {self.hidden}")
        together = self.segment if self.minibatch_rule == "random" else self.batch_size
        if self.recurrent and together % self.backpropagation_steps:
            raise ValueError(f"backpropagation_steps must divide {together}, got {self.backpropagation_steps}")
        return self


def mappo(**changes: Any) -> PPOSettings:
    """Decentralised actors, one critic on the global state."""
    return PPOSettings(**changes)


AS_SHIPPED: dict[str, Any] = {
    "critic_sees": "all",
    "activation": "relu",
    "layer_norm": True,
    "recurrent": True,
    "backpropagation_steps": 1,
    "initialisation": "normal",
    "std": "fixed",
    "initial_std": 1.0,
    "input_scaling": "none",
    "envs": 1,
    "segment": 240,
    "time_limit": "terminal",
    "minibatch_rule": "consecutive",
    "epochs": 10,
    "optimiser": "rmsprop",
    "learning_rate": 1e-4,
    "learning_rate_end": 1e-4,
    "clip": 0.6,
    "ratio": "stored_action",
    "log_probability_at": "squashed",
    "entropy": 1e-3,
    "advantage": "batch_norm",
    "reward_normalisation": "batch",
    "value_target": "one_step",
    "value_loss": "squared",
    "value_normalisation": "none",
    "value_clip": 0.6,
    "value_coefficient": 2.0,
}
