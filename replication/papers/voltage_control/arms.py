"""Arms of the voltage-control experiments: which settings are compared, at which size.

Labels are what figures, tables and claims call an arm.
"""

from collections.abc import Callable, Mapping
from typing import Any

from replication.algos.ppo_settings import AS_SHIPPED, PPOSettings
from replication.envs.voltage_control import VoltageControlSettings
from replication.envs.voltage_worlds import settings_of
from replication.papers.voltage_control.study import ControllerStudy, LearnerStudy
from replication.settings import Profile

ALPHAS = (0.1, 0.03, 0.01, 0.003)
CONTROLLERS = (
    "none", "random", "constant_power_factor", "droop", "droop_dead_band", "droop_converged",
    "droop_converged_dead_band", "ieee1547", "opf",
)  # fmt: skip

# ---- sizes -----------------------------------------------------------------------------------------------------

SMOKE = {"updates": 2, "evaluate_every": 1, "validation_days": 1, "test_days": 2}
QUICK = {"updates": 60, "evaluate_every": 20, "validation_days": 6, "test_days": 24}
SMOKE_LEARNER = {"envs": 2, "segment": 32, "epochs": 1, "minibatches": 1, "hidden": (8, 8)}


# chosen on validation days with seeds that are not reported.
LEARNER = {"learning_rate": 1e-3, "learning_rate_end": 1e-4, "epochs": 3, "minibatches": 4}


def study(
    profile: Profile,
    learner: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] = LEARNER,
    **changes: Any,
) -> LearnerStudy:
    """One arm: the chosen learner with its changes, in an environment with its changes, at the profile's size."""
    chosen = {**base, **(learner or {})}
    if profile == "smoke":
        chosen |= SMOKE_LEARNER
    sizes = {"smoke": SMOKE, "quick": QUICK, "full": {}}[profile]
    parts = {"environment": VoltageControlSettings(**(environment or {})), "learner": PPOSettings(**chosen)}
    return LearnerStudy(**{**parts, **changes, **sizes})


# ---- arms ------------------------------------------------------------------------------------------------------

# the code's ratio is the density at the squashed action over exp(stored action).
RATIO = {
    "right ratio": {"ratio": "log_probability"},
    "shipped ratio": {"ratio": "stored_action", "log_probability_at": "squashed"},
}
STD = {"learned std": {"std": "learned", "initial_std": 0.37}, "std 1": {"std": "fixed", "initial_std": 1.0}}
CLIP = {"clip 0.2": {"clip": 0.2}, "clip 0.6": {"clip": 0.6}}
PUBLISHED: dict[str, Any] = {"barrier": "l1", "q_weight": 0.1}
AGREEING: dict[str, Any] = {"barrier": "bowl", "q_weight": 0.01}


def ratio_arms(profile: Profile) -> dict[str, LearnerStudy]:
    """2 x 2 x 2 of the importance ratio, the exploration deviation and the clip, at the published L1 reward."""
    cells = {
        f"{ratio}, {std}, {clip}": RATIO[ratio] | STD[std] | CLIP[clip]
        for ratio in RATIO
        for std in STD
        for clip in CLIP
    }
    if profile != "full":
        kept = ("right ratio, learned std, clip 0.2", "shipped ratio, std 1, clip 0.6")
        cells = {label: cells[label] for label in kept}
    return {label: study(profile, learner, PUBLISHED) for label, learner in cells.items()}


def ratio_at_draw_arms(profile: Profile) -> dict[str, LearnerStudy]:
    """The stored action as old log-probability, the density at the draw before tanh: not the code's ratio (A-16)."""
    arms = {}
    for std in STD:
        for clip in CLIP if profile == "full" else ("clip 0.6",):
            learner = {"ratio": "stored_action"} | STD[std] | CLIP[clip]
            arms[f"ratio at the draw, {std}, {clip}"] = study(profile, learner, PUBLISHED)
    return arms


DEFECTS: dict[str, dict[str, Any]] = {
    "corrected": {},
    "density at squashed action": {"log_probability_at": "squashed"},
    "consecutive batches of 32": {"minibatch_rule": "consecutive", "epochs": 10},
    "batch-normalised reward": {"minibatch_rule": "consecutive", "epochs": 10, "reward_normalisation": "batch"},
    "batch-normalised advantage": {"advantage": "batch_norm"},
    "one-step value target": {"value_target": "one_step"},
    "value clip 0.6": {"value_clip": 0.6, "value_loss": "squared", "value_coefficient": 2.0},
    "time limit as terminal": {"time_limit": "terminal"},
    "RMSprop 1e-4": {"optimiser": "rmsprop", "learning_rate": 1e-4, "learning_rate_end": 1e-4},
    "normal weights, no input scaling": {"initialisation": "normal", "input_scaling": "none"},
}


def defect_arms(profile: Profile) -> dict[str, LearnerStudy]:
    """Each further habit of the shipped code alone, then all of them, world included."""
    names = list(DEFECTS) if profile == "full" else ["corrected"]
    arms = {label: study(profile, DEFECTS[label], PUBLISHED) for label in names}
    shipped_world = PUBLISHED | {"mode": "as_shipped"}
    arms["everything as shipped"] = study(profile, AS_SHIPPED, shipped_world, {}, updates=400, evaluate_every=20)
    if profile == "full":
        arms["world as shipped"] = study(profile, {}, shipped_world)
    return arms


def reward_arms(profile: Profile) -> dict[str, LearnerStudy]:
    """The price of reactive power: four alphas, two barriers, two units."""
    arms = {}
    for barrier in ("bowl", "l1"):
        for unit in ("mvar", "per_unit"):
            for alpha in ALPHAS if profile == "full" else (0.1, 0.01):
                label = f"{barrier}, alpha {alpha:g}, {unit}"
                arms[label] = study(profile, {}, {"barrier": barrier, "q_weight": alpha, "q_unit": unit})
    return (
        arms
        if profile == "full"
        else {label: arm for label, arm in arms.items() if "bowl" in label and "mvar" in label}
    )


def reward_optimum_arms(profile: Profile) -> dict[str, ControllerStudy]:
    """Scripted controllers and the per-step search of the reward's own optimum, under every reward of the sweep."""
    days = {"smoke": 1, "quick": 3, "full": 24}[profile]
    controllers = ("none", "droop", "droop_dead_band", "reward_search")
    return {
        f"{controller}, {label}": ControllerStudy(environment=study.environment, controller=controller, test_days=days)
        for label, study in reward_arms(profile).items()
        for controller in controllers[: 2 if profile == "smoke" else None]
    }


def discount_arms(profile: Profile) -> dict[str, LearnerStudy]:
    """Does the future matter? Actions do not move the loads."""
    return {f"gamma {gamma:g}": study(profile, {"gamma": gamma}, AGREEING) for gamma in (0.0, 0.99)}


def loss_arms(profile: Profile) -> dict[str, LearnerStudy]:
    """A reward that prices losses and excursions instead of reactive power."""
    goal = {"barrier": "courant_beltrami", "q_weight": 0.0, "loss_weight": 1.0, "violation_weight": 500.0}
    return {f"loss reward, gamma {gamma:g}": study(profile, {"gamma": gamma}, goal) for gamma in (0.0, 0.99)}


PARADIGMS: dict[str, dict[str, Any]] = {
    "MAPPO": {},
    "IPPO": {"critic_sees": "own"},
    "centralised PPO": {"actor_sees": "state", "critic_sees": "state"},
}


def paradigm_arms(world: str, **changes: Any) -> Callable[[Profile], dict[str, LearnerStudy]]:
    """MAPPO, IPPO and centralised PPO on one feeder."""
    return lambda profile: {
        label: study(profile, learner, AGREEING, world=world, **changes) for label, learner in PARADIGMS.items()
    }


def learner_arms_33(profile: Profile) -> dict[str, LearnerStudy]:
    """The paradigms on 33 buses, and MAPPO with discount 0, the best on validation days, and twice the updates."""
    tuned = study(profile, {"gamma": 0.0}, AGREEING, updates=1000)
    return paradigm_arms("voltage/case33")(profile) | {"MAPPO tuned": tuned}


def barrier_arms(profile: Profile) -> dict[str, LearnerStudy]:
    """The three barriers of the paper at the published alpha and at one where reward and control agree."""
    return {
        f"{barrier}, alpha {alpha:g}": study(profile, {}, {"barrier": barrier, "q_weight": alpha})
        for barrier in ("l1", "l2", "bowl")
        for alpha in ((0.1, 0.01) if profile == "full" else (0.01,))
    }


def controller_arms(world: str, **changes: Any) -> Callable[[Profile], dict[str, ControllerStudy]]:
    """Every scripted controller on one feeder, at the reward where reward and control agree."""
    environment = settings_of(world, **AGREEING, **changes)

    def arms(profile: Profile) -> dict[str, ControllerStudy]:
        days = {"smoke": 1, "quick": 24, "full": 120}[profile]
        names = ("none", "droop", "droop_dead_band", "opf") if profile == "smoke" else CONTROLLERS
        return {
            name: ControllerStudy(world=world, environment=environment, controller=name, test_days=days)
            for name in names[: 2 if profile == "smoke" and world != "voltage/case33" else None]
        }

    return arms


def calibration_arms(profile: Profile) -> dict[str, ControllerStudy]:
    """No control, droop and random actions at several load scales: how hard the feeder is."""
    days = {"smoke": 1, "quick": 12, "full": 120}[profile]
    return {
        f"{controller}, load {scale:g}": ControllerStudy(
            environment=VoltageControlSettings(load_scale=scale), controller=controller, test_days=days
        )
        for scale in ((1.0, 1.2, 1.4, 1.87, 2.5) if profile == "full" else (1.4, 1.87))
        for controller in ("none", "droop", "random")
    }


def assignment_arms(profile: Profile) -> dict[str, ControllerStudy]:
    """No control and droop under ten deals of profiles to buses: how much the difficulty hangs on the deal."""
    days = {"smoke": 1, "quick": 12, "full": 120}[profile]
    return {
        f"{controller}, assignment {seed}": ControllerStudy(
            environment=VoltageControlSettings(assignment_seed=seed), controller=controller, test_days=days
        )
        for seed in range(10 if profile == "full" else 2)
        for controller in ("none", "droop")
    }


def published_arms(profile: Profile) -> dict[str, ControllerStudy]:
    """Three references under the reward of the ratio study, for its figures."""
    days = {"smoke": 1, "quick": 24, "full": 120}[profile]
    environment = VoltageControlSettings(**PUBLISHED)
    return {
        name: ControllerStudy(environment=environment, controller=name, test_days=days)
        for name in ("none", "droop", "droop_dead_band")
    }
