"""Settings of the learner of cooperative teams: nets per agent or shared, what the critic sees, how it is aligned."""

from typing import Any, Literal, Self

import pydantic

from replication.algos.alignment_settings import ACTION_KINDS, AlignmentSettings
from replication.settings import BadInput, Settings, choose, setting

MAPPO_PAPER = "MAPPO paper (2103.01955)"
PPO_PAPER = "PPO paper (1707.06347)"


class TeamSettings(Settings):
    """Proximal policy optimisation of a team; the defaults are independent learners (arm A0)."""

    nets: Literal["independent", "shared", "shared_id"] = setting(
        "independent",
        "independent: an actor and a critic per agent; shared: one for all, without or with the agent's number",
        origin=f"2401.10949; {MAPPO_PAPER}",
    )
    critic_sees: Literal["own", "state"] = setting(
        "own", "own: the agent's observation; state: observation and global state", origin=MAPPO_PAPER
    )
    critic_time: bool = setting(True, "critics also see the share of the horizon gone by", origin="ours (A-316)")
    assignment: bool = setting(
        False, "actors and critics also see where the cheapest assignment sends the agent", origin="ours (A-317)"
    )
    shared_reward: bool = setting(False, "every agent learns from the mean reward of all", origin="ours (A-318)")

    hidden: tuple[int, int] = setting((64, 64), "units per hidden layer", unit="unit", origin=MAPPO_PAPER)
    activation: Literal["relu", "tanh"] = setting("tanh", "activation of the hidden layers", origin="ours (A-316)")
    last_layer_gain: float = setting(0.01, "gain of the actor's last layer", origin=MAPPO_PAPER, gt=0)
    initial_std: float = setting(0.6, "first deviation of continuous actions before tanh", origin="ours (A-316)", gt=0)
    common_start: bool = setting(False, "independent nets of a team begin equal", origin="ours (A-321)")

    envs: int = setting(256, "environment lanes per seed", origin="ours (A-316)", ge=1)
    segment: int = setting(25, "steps between updates", unit="step", origin="ours (A-316)", ge=1)
    time_limit: Literal["terminal", "truncation"] = setting(
        "terminal", "whether the value behind a time limit is zero or bootstrapped", origin="ours (A-316)"
    )
    gamma: float = setting(0.95, "discount per step", origin="ours (A-316)", ge=0, le=1)
    gae_lambda: float = setting(0.9, "decay of generalised advantage estimation", origin="ours (A-316)", ge=0, le=1)

    epochs: int = setting(2, "passes over the segment", origin="ours (A-316)", ge=1)
    minibatches: int = setting(16, "parts of a pass", origin="ours (A-316)", ge=1)
    learning_rate: float = setting(3e-3, "first learning rate", origin="ours (A-316)", gt=0)
    learning_rate_end: float = setting(1e-4, "last learning rate, reached linearly", origin="ours (A-316)", gt=0)
    gradient_clip: float = setting(1.0, "largest gradient norm per network", origin="ours (A-316)", gt=0)
    clip: float = setting(0.2, "ratio clip of the surrogate", origin=PPO_PAPER, gt=0, lt=1)
    entropy: float = setting(0.001, "coefficient of the policy's entropy", origin="ours (A-316)", ge=0)

    critic: Literal["value", "quantile"] = setting(
        "value", "one number, or quantiles of the return", origin=f"{MAPPO_PAPER}; 1710.10044"
    )
    quantiles: int = setting(25, "quantiles of a quantile critic", origin="ours (A-320)", ge=2)
    huber_delta: float = setting(
        1.0, "error at which the critic's loss turns linear, in deviations of returns", origin="ours (A-316)", gt=0
    )
    value_scale_decay: float = setting(
        0.99, "decay per update of the running return statistics", origin="ours (A-316)", gt=0, lt=1
    )

    alignment: AlignmentSettings = setting(
        AlignmentSettings(), "what draws the agents together beside the task", origin="2401.10949, area 1"
    )

    @property
    def streams(self) -> int:
        """Kinds of reward with a value of their own: the task's, and alignment's where it is a reward."""
        return 1 + (self.alignment.kind in ("ot_barycenter", "ot_episode"))

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        if min(self.hidden) < 1:
            raise ValueError(f"hidden layers need at least one unit each, got {self.hidden}")
        if self.envs * self.segment < self.minibatches:
            raise ValueError(
                f"minibatches must be <= envs * segment = {self.envs * self.segment}, got {self.minibatches}"
            )
        kind = self.alignment.kind
        if self.nets == "shared" and kind in ACTION_KINDS:
            raise ValueError(f"nets 'shared' are equal already; kind {kind!r} needs 'independent' or 'shared_id'")
        if self.nets != "independent" and kind == "parameter_average":
            raise ValueError(f"kind {kind!r} averages the nets of agents; it needs nets 'independent'")
        return self


# one net for all meets every agent's samples in a minibatch, and wants smaller ones
SHARING: dict[str, Any] = {"minibatches": 32}
ARMS: dict[str, dict[str, Any]] = {
    "A0": {},
    "A1": {"alignment": {"kind": "ot_action"}},
    "A2": {"alignment": {"kind": "ot_barycenter"}},
    "A3": {"alignment": {"kind": "ot_episode"}},
    "A4": {"alignment": {"kind": "kl"}},
    "A5": {"alignment": {"kind": "tv"}},
    "A6": {"alignment": {"kind": "parameter_average"}, "common_start": True},
    "A7": {"nets": "shared"} | SHARING,
    "A8": {"nets": "shared_id"} | SHARING,
    "A9": {"alignment": {"kind": "diversity", "beta": -0.1}},
    "A10": {"alignment": {"kind": "ot_potential"}},
    "A11": {"assignment": True},
    "A12": {"critic_sees": "state"},
    "A12+A2": {"critic_sees": "state", "alignment": {"kind": "ot_barycenter"}},
    "P1": {"alignment": {"kind": "ot_barycenter", "placebo": "shuffled"}},
    "P2": {"alignment": {"kind": "ot_barycenter", "placebo": "random"}},
    "P3": {"alignment": {"kind": "ot_action", "placebo": "random"}},
    "quantile": {"critic": "quantile"},
}


def arm(name: str, **changes: Any) -> TeamSettings:
    """Settings of a named arm, with changes; `alignment__beta=0.3` reaches into its alignment.

    The arms are ours (2401.10949 has no experiments) and were fixed before the study: A0 independent, A1 action-level
    transport, A2 pooled barycenter, A3 within episodes, A4 KL, A5 total variation, A6 parameter averaging, A7 sharing,
    A8 with agent numbers, A9 diversity, A10 potential shaping, A11 assignment in view, A12 centralised critic; those
    with P are placebos.

    Raises:
        BadInput: unknown arm, unknown setting, or a value out of range.
    """
    chosen = dict(ARMS[choose("arm", name, ARMS)])
    alignment = AlignmentSettings(**chosen.pop("alignment", {}))
    return TeamSettings(**chosen, alignment=alignment).but(**changes)


def check_team(num_agents: int, settings: TeamSettings) -> None:
    """Raise a one-line `BadInput` where a team is too small for its alignment."""
    if settings.alignment.active and num_agents < 2:
        raise BadInput(f"alignment needs at least 2 agents, got {num_agents}; use alignment kind 'none'")
