"""Settings of the radio study: which network, which data, which learner or scheduler, judged on which layouts."""

from typing import Any

from replication.algos.cql_settings import CQLSettings
from replication.algos.online_settings import OnlineSettings
from replication.envs.radio_settings import RadioSettings
from replication.settings import Settings, setting

WORLD = "radio/4x24"
ALPHA = 0.042  # weight of the conservative term: the summary's 1, for rewards divided by 24 users


class RadioStudy(Settings):
    """What every study has: a network, and layouts it is judged on."""

    world: str = setting(WORLD, "access points and users", origin="ours (A-203)")
    environment: RadioSettings = setting(RadioSettings(), "network", origin="2501.12991, second hand")
    test_layouts: int = setting(
        100, "layouts of every seed, the same for all methods", unit="layout", origin="ours (A-250)", ge=1
    )


class SchedulerStudy(RadioStudy):
    """A scripted scheduler."""

    scheduler: str = setting("full_reuse", "scripted scheduler", origin="2501.12991, second hand")
    options: dict[str, Any] = setting({}, "its settings that differ from its defaults", origin="ours (A-222)")
    by_rank: bool = setting(False, "held to the actions the agents have", origin="ours (A-222)")


class LearnerStudy(RadioStudy):
    """What learners add: looks at validation layouts, by which the best checkpoint is chosen."""

    validation_layouts: int = setting(
        16, "layouts of every seed that choose the best checkpoint", unit="layout", origin="ours (A-250)", ge=1
    )
    looks: int = setting(10, "looks at the validation layouts", origin="ours (A-250)", ge=1, le=10)


class OnlineStudy(LearnerStudy):
    """A learner that acts in the network while it learns."""

    learner: OnlineSettings = setting(OnlineSettings(), "online learner", origin="2501.12991, second hand")
    steps: int = setting(20_000, "TTIs of every lane", unit="TTI", origin="ours (A-251)", ge=1)


class OfflineStudy(LearnerStudy):
    """A learner that has a dataset and nothing else."""

    tier: str = setting("sac-replay", "which policies the data come from", origin="2501.12991, second hand; A-252")
    size: int = setting(320_000, "transitions a seed learns from", unit="TTI", origin="ours (A-253)", ge=1)
    pool: int = setting(640_000, "transitions they are drawn from", unit="TTI", origin="ours (A-253)", ge=1)
    data_seed: int = setting(0, "seed of the behaviour policies and of the data", origin="ours (A-254)", ge=0)
    learner: CQLSettings = setting(
        CQLSettings(conservatism=ALPHA, temperature=0.03),
        "offline learner",
        origin="2501.12991, second hand; ours (A-227, A-229)",
    )
    updates: int = setting(20_000, "gradient steps", unit="update", origin="ours (A-255)", ge=1)
    sampled: bool = setting(False, "also judge actions drawn from the policy", origin="ours (A-256)")


class TransferStudy(OfflineStudy):
    """The same, then judged in networks it was not trained for."""

    elsewhere: dict[str, dict[str, Any]] = setting(
        {}, "name -> world and settings it is judged in, too", origin="ours (A-257)"
    )


class BehaviourStudy(RadioStudy):
    """The policy that a tier's data come from, on the test layouts."""

    tier: str = setting("sac-final", "whose policy", origin="2501.12991, second hand; A-252")
    pool: int = setting(640_000, "transitions of its dataset", unit="TTI", origin="ours (A-253)", ge=1)
    data_seed: int = setting(0, "seed of the behaviour policies and of the data", origin="ours (A-254)", ge=0)


class ComplexityStudy(Settings):
    """Size and step time of a learner, untrained."""

    access_points: int = setting(4, "number of agents", unit="AP", origin="ours (A-203)", ge=2, le=8)
    learner: CQLSettings = setting(CQLSettings(), "offline learner", origin="2501.12991, second hand")
    timed: int = setting(20, "updates that are timed", unit="update", origin="ours (A-258)", ge=0)
