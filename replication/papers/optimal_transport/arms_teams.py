"""Arms of the learning experiments: which teams are compared.

Labels are what figures, tables and claims call an arm.
"""

from itertools import combinations, product
from typing import Any

from replication.algos.team_settings import TeamSettings, arm
from replication.papers.optimal_transport.study_teams import ScriptedStudy, TeamStudy
from replication.settings import Profile

# label -> named arm of `team_settings`
LEARNERS = {
    "independent": "A0",
    "OT actions": "A1",
    "OT barycenter": "A2",
    "OT within episodes": "A3",
    "KL": "A4",
    "total variation": "A5",
    "averaging": "A6",
    "sharing": "A7",
    "sharing with numbers": "A8",
    "diversity": "A9",
    "wanted diversity": "A9",
    "OT potential": "A10",
    "assignment in view": "A11",
    "centralised critic": "A12",
    "centralised critic, OT barycenter": "A12+A2",
    "shuffled placebo": "P1",
    "random placebo": "P2",
    "OT actions, random placebo": "P3",
    "quantile critic": "quantile",
}
# Learning rate and minibatches of every kind of team: the best of the experiment `tuning` (tuning seeds, by area), the
# same nine pairs for each. All that is not named learns with those of independent nets.
STEPS = {
    "independent": (6e-3, 32),
    "sharing": (6e-3, 16),
    "sharing with numbers": (6e-3, 32),
    "centralised critic": (1e-3, 32),
    "centralised critic, OT barycenter": (1e-3, 32),
}
# Strengths of alignment in all arms that do not sweep it: the best of the experiment `beta` (tuning seeds, by area),
# set before any other arm with alignment ran on seeds of its own. Alignment within episodes, which is
# predicted to harm, is as strong as that to the barycenter: its own best would be the least harmful one.
BETAS = {
    "OT actions": 0.1,
    "OT barycenter": 0.1,
    "KL": 0.1,
    "total variation": 0.1,
    "averaging": 0.01,
    "OT potential": 1.0,
    "diversity": -0.1,
    "wanted diversity": 0.1,
}
STRENGTH_OF = {  # these are as strong as the arm they stand beside
    "centralised critic, OT barycenter": "OT barycenter",
    "OT within episodes": "OT barycenter",
    "OT actions, random placebo": "OT actions",
    "shuffled placebo": "OT barycenter",
    "random placebo": "OT barycenter",
}
WANTED = 0.5  # mean distance between policies that "wanted diversity" aims at; independent teams have 0.95

SIX = ("independent", "OT actions", "OT barycenter", "KL", "sharing with numbers", "OT potential")
SWEPT = ("OT actions", "OT barycenter", "OT within episodes", "KL", "total variation", "averaging", "OT potential")
GRID = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
TUNED = ("independent", "sharing", "sharing with numbers", "centralised critic")
TUNING_GRID = tuple(product((1e-3, 3e-3, 6e-3), (8, 16, 32)))  # learning rate, minibatches
CONTROLLERS = (
    "random", "no_operation", "all_to_one", "greedy", "fixed_role", "hungarian_static", "hungarian_dynamic",
)  # fmt: skip

UPDATES = 300  # 5.8 million agent-steps with three agents
OTHER_UPDATES = {  # less for easier tasks, tuning and crowds, more for four agents
    "2 agents": 180, "4 agents": 500, "rendezvous": 45, "formation": 190, "beta": 200, "many agents": 150,
}  # fmt: skip
QUICK_SHARE, QUICK_LEAST = 0.15, 10  # of the published updates
SMALL: dict[Profile, dict[str, Any]] = {  # how the smaller profiles differ from the published one
    "smoke": {"test_episodes": 8, "validation_episodes": 8, "looks": 2, "updates": 3},
    "quick": {"test_episodes": 100, "validation_episodes": 50, "looks": 5},
    "full": {},
}

FORCE = {"actions": "force"}
UNEQUAL = {"sensitivity": [3.0, 5.0, 8.0], "radius": [0.1, 0.15, 0.2]}
CROWD = {"scaling": "arena", "agent_neighbours": 5, "landmark_neighbours": 5}
EVERY = (1, 2, 5, 10, 25, 50, 100, 1000)
EVERY_DOUBLE_RATE = (1, 10, 100)


def learner(label: str, **changes: Any) -> TeamSettings:
    """Settings of the learner that arms call `label`, with changes."""
    strength = BETAS.get(STRENGTH_OF.get(label, label))
    rate, minibatches = STEPS.get(label, STEPS["independent"])
    fixed: dict[str, Any] = {"learning_rate": rate, "minibatches": minibatches}
    if strength is not None:
        fixed["alignment__beta"] = strength
    if label == "wanted diversity":
        fixed["alignment__wanted"] = WANTED
    return arm(LEARNERS[label], **(fixed | changes))


def team(profile: Profile, chosen: TeamSettings, *, updates: int = UPDATES, **values: Any) -> TeamStudy:
    """A study of one learner at a profile's size."""
    if profile == "smoke":
        chosen = chosen.but(envs=8)
    shorter = max(QUICK_LEAST, round(updates * QUICK_SHARE)) if profile == "quick" else updates
    return TeamStudy(learner=chosen, **({"updates": shorter} | values | SMALL[profile]))


def _some(profile: Profile, smoke: tuple[str, ...], quick: tuple[str, ...], full: tuple[str, ...]) -> tuple[str, ...]:
    return {"smoke": smoke, "quick": quick, "full": full}[profile]


def _teams(profile: Profile, labels: tuple[str, ...], prefix: str = "", **values: Any) -> dict[str, TeamStudy]:
    return {prefix + label: team(profile, learner(label), **values) for label in labels}


# ---- the first experiment ----------------------------------------------------------------------------------------


def scripted_arms(profile: Profile) -> dict[str, ScriptedStudy]:
    """Every scripted controller with two, three and four agents."""
    episodes = {name: value for name, value in SMALL[profile].items() if name == "test_episodes"}
    return {
        f"{agents} agents, {controller.replace('_', ' ')}": ScriptedStudy(
            world=f"navigation/spread{agents}", controller=controller, **episodes
        )
        for agents in ((3,) if profile == "smoke" else (2, 3, 4))
        for controller in CONTROLLERS
    }


def team_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Primary: with and without alignment by transport, sharing, shaping, and a placebo."""
    every = ("independent", "OT actions", "OT barycenter", "OT within episodes", "KL", "sharing",
             "sharing with numbers", "OT potential", "shuffled placebo")  # fmt: skip
    quick = ("independent", "OT barycenter", "sharing", "OT potential")
    return _teams(profile, _some(profile, quick[:3], quick, every))


def control_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Other ways to draw a team together or apart, and what more information does."""
    every = ("total variation", "averaging", "diversity", "wanted diversity", "assignment in view",
             "centralised critic", "centralised critic, OT barycenter", "random placebo",
             "OT actions, random placebo", "quantile critic")  # fmt: skip
    quick = ("assignment in view", "centralised critic")
    return _teams(profile, _some(profile, quick, quick, every))


# ---- elsewhere ---------------------------------------------------------------------------------------------------


def team_size_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Two and four agents."""
    few = ("independent", "OT barycenter")
    labels = _some(profile, few, few, SIX)
    arms: dict[str, TeamStudy] = {}
    for agents in (2, 4) if profile == "full" else (2,):
        updates = OTHER_UPDATES.get(f"{agents} agents", UPDATES)
        world = f"navigation/spread{agents}"
        arms |= _teams(profile, labels, f"{agents} agents, ", world=world, updates=updates)
    return arms


def continuous_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Forces instead of five moves."""
    return _teams(profile, _some(profile, ("independent", "OT actions"), (), SIX), options=FORCE)


def task_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Meeting at one place, forming a circle, and agents of unequal strength and size."""
    few = ("independent", "OT barycenter")
    gather = _some(profile, few, few, (*SIX, "OT within episodes", "sharing"))
    arms = _teams(profile, gather, "rendezvous, ", world="navigation/rendezvous3", updates=OTHER_UPDATES["rendezvous"])
    others = _some(profile, ("independent",), (), SIX)
    arms |= _teams(profile, others, "formation, ", world="navigation/formation4", updates=OTHER_UPDATES["formation"])
    return arms | _teams(profile, others, "unequal, ", options=UNEQUAL)


def many_agents_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Six, twelve and twenty-four agents that see the five nearest, in an arena that grows with them."""
    labels = ("independent", "OT barycenter", "sharing", "OT potential")
    arms: dict[str, TeamStudy] = {}
    for agents in {"smoke": (6,), "quick": (), "full": (6, 12, 24)}[profile]:
        world = f"navigation/spread{agents}"
        arms |= _teams(profile, labels, f"{agents} agents, ", world=world, options=CROWD,
                       updates=OTHER_UPDATES["many agents"])  # fmt: skip
    return arms


# ---- what about alignment matters --------------------------------------------------------------------------------


def tuning_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Step sizes and minibatches of every way to learn without alignment, with equal effort, on tuning seeds."""
    labels = _some(profile, ("independent",), (), TUNED)
    return {
        f"{label}, rate {rate:g}, {parts} minibatches": team(
            profile, learner(label, learning_rate=rate, minibatches=parts), updates=OTHER_UPDATES["beta"]
        )
        for label in labels
        for rate, parts in (TUNING_GRID if profile == "full" else TUNING_GRID[4:5])
    }


def beta_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Strengths of every alignment, on tuning seeds, and none."""
    labels = _some(profile, ("OT barycenter",), (), SWEPT)
    none = _teams(profile, ("independent",) if labels else (), updates=OTHER_UPDATES["beta"])
    return none | {
        f"{label}, beta {beta:g}": team(profile, learner(label, alignment__beta=beta), updates=OTHER_UPDATES["beta"])
        for label in labels
        for beta in (GRID if profile == "full" else GRID[3:5])
    }


def frequency_arms(profile: Profile) -> dict[str, TeamStudy]:
    """How often the barycenter and its potentials are computed anew; also where policies move twice as fast."""
    chosen = learner("OT barycenter")
    many, double = {"smoke": ((1, 2), (1,)), "quick": ((), ()), "full": (EVERY, EVERY_DOUBLE_RATE)}[profile]
    arms = {f"every {every}": team(profile, chosen.but(alignment__every=every)) for every in many}
    faster = chosen.but(learning_rate=2.0 * chosen.learning_rate)
    return arms | {f"every {every}, double rate": team(profile, faster.but(alignment__every=every)) for every in double}


# With 1024 visits, entropic plans would take five times as long as all the rest.
FEWER: dict[str, Any] = {"alignment__visits": 64}
# Each variant changes one thing of the alignment to the barycenter; the entropic one stands beside fewer visits.
ABLATION: dict[str, dict[str, Any]] = {
    "base": {},
    "positions": {"alignment__features": (2, 3)},
    "whole observation": {"alignment__features": tuple(range(14))},
    "transport cost as reward": {"alignment__signal": "primal"},
    "to all visits": {"alignment__target": "pool"},
    "to the first agent": {"alignment__target": "leader"},
    "fewer visits": FEWER,
    "fewer visits, entropic": {"alignment__transport__method": "sinkhorn", **FEWER},
    "fading": {"alignment__fade": True},
    "scaled again in every update": {"alignment__settling": 0},
    "three times as strong": {"alignment__beta": 3.0 * BETAS["OT barycenter"]},
}


def ablation_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Variants of the alignment to the barycenter of visits."""
    names = _some(profile, ("base", "fewer visits, entropic"), (), tuple(ABLATION))
    return {name: team(profile, learner("OT barycenter", **ABLATION[name])) for name in names}


FACTORS = ("transport", "sharing", "central critic", "assignment")


def factorial_arms(profile: Profile) -> dict[str, TeamStudy]:
    """Every subset of alignment by transport, one net for all, a centralised critic, and the assignment in view."""
    subsets = [chosen for size in range(5) for chosen in combinations(FACTORS, size)]
    full = {" + ".join(chosen) or "none": chosen for chosen in subsets}
    names = _some(profile, ("none", "transport + sharing"), ("none", "assignment"), tuple(full))
    return {name: team(profile, _combined(full[name])) for name in names}


def _combined(factors: tuple[str, ...]) -> TeamSettings:
    """The learner with these factors; those of one factor are the arms of the first experiment."""
    critic = "centralised critic" if "central critic" in factors else "independent"
    chosen = learner("sharing with numbers" if "sharing" in factors else critic)
    if "transport" in factors:
        chosen = chosen.but(alignment=learner("OT barycenter").alignment)
    sees = "state" if "central critic" in factors else "own"
    return chosen.but(critic_sees=sees, assignment="assignment" in factors)
