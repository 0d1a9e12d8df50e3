"""Settings of the voltage-control study: which world, which learner or controller, how long, judged on which days."""

from typing import Literal

from replication.algos.ppo_settings import PPOSettings
from replication.envs.voltage_control import VoltageControlSettings
from replication.settings import Settings, setting


class LearnerStudy(Settings):
    """One learner trained in one world, its checkpoint chosen on validation days, judged on test days."""

    world: str = setting("voltage/case33", "feeder", origin="2110.14300 §5.1")
    environment: VoltageControlSettings = setting(VoltageControlSettings(), "training environment", origin="2110.14300")
    learner: PPOSettings = setting(PPOSettings(), "learning algorithm", origin="2110.14300 §5.1")
    updates: int = setting(500, "updates of the policy", unit="update", origin="ours (A-10)", ge=1)
    evaluate_every: int = setting(
        25, "updates between two looks at the validation days", unit="update", origin="ours (A-10)", ge=1
    )
    validation_days: int = setting(
        24, "validation days used to choose the checkpoint", unit="day", origin="ours (A-06)", ge=1, le=24
    )
    test_days: int = setting(
        120, "test days, spread over the year", unit="day", origin="T-MAAC protocol: ten days per month", ge=1, le=120
    )


class ControllerStudy(Settings):
    """One scripted controller judged on the test days."""

    world: str = setting("voltage/case33", "feeder", origin="2110.14300 §5.1")
    environment: VoltageControlSettings = setting(
        VoltageControlSettings(), "evaluation environment", origin="2110.14300"
    )
    controller: str = setting("none", "scripted controller", origin="2110.14300 §5.3")
    test_days: int = setting(
        120, "test days, spread over the year", unit="day", origin="T-MAAC protocol: ten days per month", ge=1, le=120
    )
    split: Literal["train", "validation", "test"] = setting(
        "test", "days the controller is judged on", origin="ours (A-06)"
    )
