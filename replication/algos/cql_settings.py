"""Settings of offline multi-agent learning with a conservative critic: three paradigms, four backbones."""

from typing import Literal, Self

import pydantic

from replication.settings import Settings, setting

PAPER = "2501.12991 (second hand)"
BASE = "BY571/CQL"
SIBLING = "Conservative-and-Distributional-MARL"
IQL_PAPER = "IQL paper (2110.06169)"


class CQLSettings(Settings):
    """Conservative Q-learning and its controls; conservatism 0 is the same learner without conservatism."""

    paradigm: Literal["ctde", "independent", "centralised"] = setting(
        "ctde",
        "ctde: the agents' values add up to the team's; independent: each agent values the team reward on its own; "
        "centralised: one network over joint observations and joint actions",
        origin=PAPER,
    )
    backbone: Literal["sac", "dqn", "iql", "bc"] = setting(
        "sac", "discrete soft actor-critic, double DQN, implicit Q-learning, or behaviour cloning", origin=PAPER
    )
    conservatism: float = setting(1.0, "factor of the conservative term (sac and dqn)", origin=PAPER, ge=0)
    penalty: Literal["cql", "lse_only"] = setting(
        "cql",
        "log-sum-exp minus the value of the logged action; lse_only leaves the logged action out, a known defect",
        origin=PAPER,
    )
    discount: float = setting(0.5, "discount per step", origin="ours (A-223)", ge=0, lt=1)

    hidden: tuple[int, ...] = setting((64, 64), "units per hidden layer", unit="unit", origin="ours (A-224)")
    learning_rate: float = setting(5e-4, "step of Adam for every network", origin=BASE, gt=0)
    batch_size: int = setting(128, "transitions per update", unit="transition", origin=SIBLING, ge=1)
    target_rate: float = setting(
        5e-3, "share of the new weights in each target update", origin="ours (A-225)", gt=0, le=1
    )
    clip: float = setting(1.0, "largest gradient norm per seed and network", origin=SIBLING, gt=0)
    double: bool = setting(
        True, "dqn: the online network chooses the next action and the target network values it", origin="ours (A-226)"
    )
    share_weights: bool = setting(False, "all agents use one network", origin=SIBLING)

    temperature: float = setting(0.01, "sac: entropy temperature, or its first value", origin="ours (A-227)", ge=0)
    entropy_target: float | None = setting(
        None,
        "sac: the temperature is tuned until the entropy is this share of log(valid actions); none keeps it fixed",
        origin="ours (A-227)",
        ge=0,
        lt=1,
    )
    entropy_backup: bool = setting(False, "sac: targets count the next step's entropy", origin="ours (A-228)")
    expectile: float = setting(0.7, "iql: expectile of the value", origin=IQL_PAPER, gt=0, lt=1)
    advantage_temperature: float = setting(3.0, "iql: factor of the advantage in the weights", origin=IQL_PAPER, ge=0)

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.hidden) != 2 or min(self.hidden) < 1:
            raise ValueError(f"hidden must be two positive sizes, for example (64, 64), got {self.hidden}")
        if self.entropy_target is not None and self.temperature == 0:
            raise ValueError("a tuned temperature starts above 0; give temperature > 0 or entropy_target=None")
        return self

    @property
    def critics(self) -> int:
        """Critics per agent: twins for sac and iql."""
        return {"sac": 2, "iql": 2, "dqn": 1, "bc": 0}[self.backbone]
