"""Arms of the radio experiments: what is compared with what. Labels are what figures, tables and claims call an arm."""

from typing import Any

from replication.algos.cql_settings import CQLSettings
from replication.algos.online_settings import OnlineSettings
from replication.envs.radio_settings import RadioSettings
from replication.papers.radio_resource.study import (
    ALPHA,
    BehaviourStudy,
    ComplexityStudy,
    OfflineStudy,
    OnlineStudy,
    SchedulerStudy,
    TransferStudy,
)
from replication.settings import Profile, Settings

SCHEDULERS: dict[str, dict[str, Any]] = {
    "random": {"scheduler": "random"},
    "full reuse": {"scheduler": "full_reuse"},
    "TDM over users": {"scheduler": "tdm_users"},
    "TDM over APs": {"scheduler": "tdm_access_points"},
    "ITLinQ": {"scheduler": "itlinq"},
    "greedy rate": {"scheduler": "greedy_rate"},
    "oracle": {"scheduler": "myopic_oracle"},
    "oracle, top 3": {"scheduler": "myopic_oracle", "options": {"candidates": "top"}},
}
PARADIGMS = {"CTDE": "ctde", "centralised": "centralised", "independent": "independent"}
TIERS = ("sac-replay", "dqn-replay", "mixed", "random")
FAIRNESS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
ALPHAS = (0.0, 0.1, 1.0, 3.0, 10.0, 24.0)  # for the reward as summarised; 24 is 1 for the reward divided by users
SIZES = (5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000)
GRID_SIZES = (5_000, 20_000, 80_000, 320_000)
AREAS = (500.0, 200.0, 100.0, 80.0)
WALKS = (0.0, 3.0, 10.0, 30.0)  # m/s
SMOOTHINGS = (0.002, 0.01, 0.05)
DQN: dict[str, Any] = {"backbone": "dqn"}

SMALL: dict[Profile, dict[str, Any]] = {  # how the smaller profiles differ from the published one
    "smoke": {"environment": {"horizon": 100}, "test_layouts": 2, "validation_layouts": 2, "looks": 2, "size": 1_000,
              "pool": 2_000, "updates": 30, "steps": 60},
    "quick": {"environment": {"horizon": 500}, "test_layouts": 20, "validation_layouts": 8, "looks": 5, "size": 32_000,
              "pool": 64_000, "updates": 4_000, "steps": 2_000},
    "full": {},
}  # fmt: skip


def _study(kind: type[Settings], profile: Profile, *, environment: dict[str, Any] | None = None, **values: Any) -> Any:
    """Settings of an arm at a profile's size; `values` win over the profile's own."""
    small = {name: value for name, value in SMALL[profile].items() if name in kind.model_fields}
    network = {**small.pop("environment", {}), **(environment or {})}
    values = {**values, **small} if profile == "smoke" else {**small, **values}
    return kind(environment=RadioSettings(**network), **values)


def offline(profile: Profile, *, environment: dict[str, Any] | None = None, learner: dict[str, Any] | None = None,
            **values: Any) -> OfflineStudy:  # fmt: skip
    """An offline learner; what is not named is as in `OfflineStudy`."""
    chosen = OfflineStudy().learner.but(**(learner or {}))
    return _study(OfflineStudy, profile, environment=environment, learner=chosen, **values)


def scheduler_arms(profile: Profile, **environment: Any) -> dict[str, SchedulerStudy]:
    """Every scheduler on the layouts that the learners are judged on."""
    return {
        name: _study(SchedulerStudy, profile, environment=environment, **values) for name, values in SCHEDULERS.items()
    }


def oracle_arms(profile: Profile) -> dict[str, SchedulerStudy]:
    """The myopic oracle at every exponent of the weights."""
    return {
        f"lambda {fairness:g}": _study(SchedulerStudy, profile, environment={"fairness": fairness},
                                       scheduler="myopic_oracle", options={"candidates": "top"})
        for fairness in (FAIRNESS if profile == "full" else FAIRNESS[::2])
    }  # fmt: skip


def online_arms(profile: Profile) -> dict[str, OnlineStudy]:
    """Learners that may act, as references and as the sources of the data."""
    kinds: dict[str, dict[str, Any]] = {
        "SAC": {"backbone": "sac"}, "DQN": DQN, "independent DQN": {**DQN, "paradigm": "independent"}
    }  # fmt: skip
    names = tuple(kinds) if profile == "full" else ("DQN",)
    short: dict[str, Any] = {"smoke": {"warm_up": 20}, "quick": {"warm_up": 200, "epsilon_steps": 500}, "full": {}}[
        profile
    ]
    return {
        name: _study(OnlineStudy, profile,
                     learner=OnlineSettings(learner=CQLSettings(conservatism=0.0, **kinds[name]), **short))
        for name in names
    }  # fmt: skip


def behaviour_arms(profile: Profile) -> dict[str, BehaviourStudy]:
    """The last policies of the two behaviour learners, acting as when their data were collected."""
    tiers = ("sac-final", "dqn-final") if profile == "full" else ("sac-final",)
    return {tier: _study(BehaviourStudy, profile, tier=tier) for tier in tiers}


def paradigm_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """Primary: the three paradigms on the same data, CTDE without conservatism, and CTDE on other data."""
    arms = {name: offline(profile, learner={"paradigm": paradigm}) for name, paradigm in PARADIGMS.items()}
    arms["CTDE, alpha 0"] = offline(profile, learner={"conservatism": 0.0})
    if profile == "full":
        arms |= {f"CTDE on {tier}": offline(profile, tier=tier) for tier in TIERS[1:]}
    return arms


def learner_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """Comparisons: other backbones, cloning, the faulty penalty, and the remaining data."""
    arms = {
        "DQN backbone": offline(profile, learner=DQN),
        "cloning": offline(profile, learner={"backbone": "bc"}, sampled=True),
        "cloning sac-final": offline(profile, tier="sac-final", learner={"backbone": "bc"}, sampled=True),
        "implicit Q-learning": offline(profile, learner={"backbone": "iql", "paradigm": "independent"}),
        "log-sum-exp only": offline(profile, learner={"penalty": "lse_only"}),
        "CTDE on sac-final": offline(profile, tier="sac-final"),
        "CTDE on dqn-final": offline(profile, tier="dqn-final"),
        "CTDE on heuristic-mix": offline(profile, tier="heuristic-mix"),
    }
    few = {"smoke": ("cloning",), "quick": ("DQN backbone", "cloning"), "full": tuple(arms)}[profile]
    return {name: arms[name] for name in few}


def quality_size_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """Three paradigms x three tiers x four sizes."""
    if profile != "full":
        return {"CTDE, sac-replay, 1000": offline(profile, size=1_000)}
    return {
        f"{name}, {tier}, {size}": offline(profile, tier=tier, size=size, learner={"paradigm": paradigm})
        for name, paradigm in PARADIGMS.items()
        for tier in ("sac-replay", "mixed", "random")
        for size in GRID_SIZES
    }


def size_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """CTDE on finer sizes; the number of updates is the same for all."""
    sizes = {"smoke": (1_000,), "quick": (4_000, 16_000, 64_000), "full": SIZES}[profile]
    return {f"{size}": offline(profile, size=size) for size in sizes}


def update_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """Equal passes over the data instead of equal updates, and three times the updates."""
    whole = OfflineStudy()
    arms = {
        f"{size}, equal passes": offline(profile, size=size, updates=whole.updates * size // whole.size)
        for size in GRID_SIZES[1:3]
    }
    return arms | {"three times as long": offline(profile, updates=3 * whole.updates)} if profile == "full" else {}


def alpha_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """The weight of the conservative term, as a multiple of the summary's."""
    alphas = {"smoke": (1.0,), "quick": (0.0, 1.0, 10.0), "full": ALPHAS}[profile]
    return {f"alpha {alpha:g}": offline(profile, learner={"conservatism": alpha * ALPHA}) for alpha in alphas}


def fairness_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """The exponent of the weights in the reward; logged steps are relabelled."""
    exponents = {"smoke": (0.8,), "quick": (0.0, 0.8), "full": FAIRNESS}[profile]
    return {f"lambda {value:g}": offline(profile, environment={"fairness": value}) for value in exponents}


def complexity_arms(profile: Profile) -> dict[str, ComplexityStudy]:
    """Three paradigms and shared weights for 2 to 8 access points, at two network sizes."""
    counts = range(2, 9) if profile == "full" else (2, 4)
    kinds: dict[str, dict[str, Any]] = {name: {"paradigm": paradigm} for name, paradigm in PARADIGMS.items()}
    kinds["CTDE, shared"] = {"paradigm": "ctde", "share_weights": True}
    return {
        f"{name}, {count} APs, {width} wide": ComplexityStudy(
            access_points=count, timed=20 if profile == "full" else 2,
            learner=CQLSettings(hidden=(width, width), **{**DQN, **values}),
        )
        for name, values in kinds.items()
        for count in counts
        for width in ((64, 256) if profile == "full" else (64,))
    }  # fmt: skip


# What would it take: changes of the first arm, most of one thing. True interference also changes the ranking.
GAP: dict[str, dict[str, Any]] = {
    "base": {},
    **{f"discount {gamma:g}": {"learner": {"discount": gamma}} for gamma in (0.0, 0.9, 0.99)},
    "sees SNR": {"environment": {"observe_snr": True}},
    "sees who was on": {"environment": {"observe_activity": True}},
    "sees true interference": {"environment": {"sinr": "measured"}},
    "sees what all see": {"environment": {"observe_others": True}},
    "sees all of it": {
        "environment": {"observe_snr": True, "observe_activity": True, "observe_others": True}
    },
    "one network for all": {"learner": {"share_weights": True}},
    "one network, sees all of it": {
        "environment": {"observe_snr": True, "observe_activity": True, "observe_others": True},
        "learner": {"share_weights": True},
    },
    "centralised": {"learner": {"paradigm": "centralised"}},
    "centralised, 60,000 updates": {"learner": {"paradigm": "centralised"}, "updates": 60_000},
    "reward: utility gain": {"environment": {"reward": "utility_gain"}},
    "32 wide": {"learner": {"hidden": (32, 32)}},
    "128 wide": {"learner": {"hidden": (128, 128)}},
    "4,000 updates": {"updates": 4_000},
    "60,000 updates": {"updates": 60_000},
}  # fmt: skip


def gap_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """What closes the gap to the oracle; random data, so that coverage is not what is missing."""
    few = {"smoke": ("base",), "quick": ("base", "discount 0.99"), "full": tuple(GAP)}[profile]
    arms = {}
    for name in few:
        changed = GAP[name]
        learner = {**DQN, **changed.get("learner", {})}
        rest = {key: value for key, value in changed.items() if key != "learner"}
        arms[name] = offline(profile, tier="random", learner=learner, **rest)
    return arms


def coupling_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """Smaller squares, stronger coupling: where adding up values is no longer enough."""
    areas = AREAS if profile == "full" else (100.0,)
    paradigms = PARADIGMS if profile == "full" else {"CTDE": "ctde"}
    return {
        f"{name}, {area:g} m": offline(profile, environment={"area": area}, tier="random",
                                       learner={**DQN, "paradigm": paradigm})
        for area in areas
        for name, paradigm in paradigms.items()
    }  # fmt: skip


def fixed_layout_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """One layout for training and judging."""
    paradigms = PARADIGMS if profile == "full" else {"CTDE": "ctde"}
    return {
        name: offline(profile, environment={"layout": "fixed"}, tier="random", learner={**DQN, "paradigm": paradigm})
        for name, paradigm in paradigms.items()
    }


def elsewhere() -> dict[str, dict[str, Any]]:
    """Networks that a policy trained among standing users meets later."""
    walking = {f"walking {speed:g} m/s": {"walk_speed": speed, "speed": max(speed, 1.0)} for speed in WALKS}
    churn = {"churn": {"departure_rate": 1.0, "arrival_rate": 1.0}}
    density = {f"{users} users": {"world": f"radio/4x{users}"} for users in (12, 48)}
    averages = {
        f"eta {eta:g}, {speed:g} m/s": {"smoothing": eta, "walk_speed": speed, "speed": max(speed, 1.0)}
        for eta in SMOOTHINGS
        for speed in (0.0, 30.0)
    }
    return walking | churn | density | averages


def transfer_arms(profile: Profile) -> dict[str, TransferStudy]:
    """Two policies trained once among standing users, judged everywhere."""
    places = elsewhere()
    names = {"smoke": ("churn",), "quick": ("walking 30 m/s", "churn"), "full": tuple(places)}[profile]
    chosen = {name: places[name] for name in names}
    kinds: dict[str, dict[str, Any]] = {
        "CTDE": {},
        "CTDE, DQN on random": {"tier": "random", "learner": OfflineStudy().learner.but(**DQN)},
    }
    return {
        name: _study(TransferStudy, profile, elsewhere=chosen, **values)
        for name, values in kinds.items()
        if profile == "full" or name == "CTDE"
    }


def elsewhere_scheduler_arms(profile: Profile) -> dict[str, SchedulerStudy]:
    """Four schedulers in every network that policies are judged in."""
    if profile != "full":
        return {}
    places = {name: dict(values) for name, values in elsewhere().items()}
    places |= {f"{area:g} m": {"area": area} for area in AREAS[1:]} | {"fixed": {"layout": "fixed"}}
    kept = ("full reuse", "TDM over users", "ITLinQ", "oracle, top 3")
    return {
        f"{scheduler}, {place}": _study(SchedulerStudy, profile, **_placed(values), **SCHEDULERS[scheduler])
        for place, values in places.items()
        for scheduler in kept
    }


def _placed(values: dict[str, Any]) -> dict[str, Any]:
    """World and environment out of one flat description of a place."""
    environment = {name: value for name, value in values.items() if name != "world"}
    return {"environment": environment} | ({"world": values["world"]} if "world" in values else {})


def wide_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """Primary contrasts with networks four times as wide, as in the sibling papers' code; A-224 names the others."""
    if profile != "full":
        return {}
    wide = {"hidden": (256, 256)}
    return {
        "CTDE": offline(profile, learner=wide),
        "centralised": offline(profile, learner={**wide, "paradigm": "centralised"}),
        "CTDE, alpha 0": offline(profile, learner={**wide, "conservatism": 0.0}),
        "CTDE on dqn-replay": offline(profile, tier="dqn-replay", learner=wide),
    }


def source_arms(profile: Profile) -> dict[str, OfflineStudy]:
    """The same tier from other behaviour policies."""
    seeds = (0, 1, 2) if profile == "full" else ()
    return {f"data seed {seed}": offline(profile, data_seed=seed) for seed in seeds}
