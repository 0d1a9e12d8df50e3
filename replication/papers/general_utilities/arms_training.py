"""Arms of the general-utilities experiments that train: known optima, budgets, tasks, continuous networks.

Labels are what figures, tables and claims call an arm.
"""

from typing import Any, Literal

from replication.algos.continuous_pg_settings import ContinuousPGSettings
from replication.algos.truncated_pg_settings import TruncatedPGSettings, as_shipped
from replication.envs.linear_gaussian import LinearGaussianSettings
from replication.papers.general_utilities.study import (
    ContinuousStudy,
    SampleStudy,
    ScriptedStudy,
    TrainingStudy,
    WorldStudy,
)
from replication.settings import Profile

Source = Literal["sampled", "exact", "exact_truncated"]
RING = {"alpha": 0.6, "delta": 0.1}

# ---- training ----------------------------------------------------------------------------------------------------

# step sizes per agent, chosen on seeds that are not reported; F holds 1/n, so steps grow with n.
STEP = {"state_entropy": 1.0, "quadratic_state": 2.0, "incompatible": 2.0, "imitation": 0.5, "linear": 1.0,
        "mixed": 1.0}  # fmt: skip
LEARNER: dict[str, Any] = {"discount": 0.9, "horizon": 60, "batch": 128, "kappa": 1}
SIZES = {"smoke": 8, "quick": 40, "full": 300}


def _training(
    profile: Profile, n: int, utility: str, spread: float = 1.0, source: Source = "sampled", **learner: Any
) -> TrainingStudy:
    step = {"step_size": STEP[utility] * n}
    return TrainingStudy(
        options={**RING, "n": n}, utility=utility, spread=spread, source=source,
        learner=TruncatedPGSettings(**(LEARNER | step | learner)), iterations=SIZES[profile],
        evaluate_every={"smoke": 4, "quick": 10, "full": 10}[profile],
    )  # fmt: skip


KNOWN = ("state_entropy", "quadratic_state", "imitation", "linear")
CONCAVE = KNOWN[:3]
SOURCES: dict[str, dict[str, Any]] = {
    "exact": {"source": "exact"},
    "exact, kappa 0": {"source": "exact_truncated", "kappa": 0},
    "exact, kappa 1": {"source": "exact_truncated", "kappa": 1},
    "exact, kappa 2": {"source": "exact_truncated", "kappa": 2},
    "sampled, kappa 1": {"kappa": 1},
    "sampled, kappa 1, baseline": {"kappa": 1, "baseline": "time"},
    "sampled, full information": {"kappa": "diameter"},
}
SMALL_ONLY = ("sampled, full information",)


def optimum_arms(profile: Profile) -> dict[str, TrainingStudy]:
    """Known optima at 5 and 50 agents: exact, truncated and sampled gradients."""
    sizes = {"smoke": (5,), "quick": (5,), "full": (5, 50)}[profile]
    utilities = KNOWN if profile == "full" else KNOWN[1:2]
    sources = SOURCES if profile == "full" else {name: SOURCES[name] for name in ("exact", "sampled, kappa 1")}
    return {
        f"{utility}, {n} agents, {label}": _training(profile, n, utility, initial_scale=0.5, **learner)
        for n in sizes
        for utility in utilities
        for label, learner in sources.items()
        if n == 5 or (label not in SMALL_ONLY and utility in CONCAVE)
    }


def large_arms(profile: Profile) -> dict[str, TrainingStudy]:
    """The same on 500 agents, two utilities."""
    n = {"smoke": 10, "quick": 50, "full": 500}[profile]
    return {
        f"{utility}, sampled, kappa 1": _training(profile, n, utility, initial_scale=0.5, batch=8)
        for utility in KNOWN[:2]
    }


def heterogeneity_arms(profile: Profile) -> dict[str, TrainingStudy]:
    """Targets from alike to far apart, neighbours that cannot both be served, and different kinds of utility."""
    n = 6 if profile == "smoke" else 20
    arms = {
        f"spread {spread:g}": _training(profile, n, "quadratic_state", spread, initial_scale=0.5)
        for spread in ((0.0, 0.25, 0.5, 1.0) if profile == "full" else (0.0, 1.0))
    }
    for utility in ("incompatible", "mixed"):
        arms[utility] = _training(profile, n, utility, initial_scale=0.5)
    return arms


HABITS: dict[str, dict[str, Any]] = {
    "Algorithm 1": {},
    "mean over the neighbourhood": {"neighbour_sum": "over_neighbourhood"},
    "no discount weights": {"discount_weights": False},
    "occupancy after the step": {"recorded": "after"},
    "one batch for everything": {"batches": "shared"},
    "table critic": {"critic": "td"},
    "twin table critics": {"critic": "td", "twin": True},
    "baseline per time": {"baseline": "time"},
    "average momentum": {"momentum": "average"},
    "normalised, recursive momentum": {"update": "normalised", "momentum": "recursive", "step_size": 1.0},
}


def variant_arms(profile: Profile) -> dict[str, TrainingStudy]:
    """Habits of the follow-up's code and other estimators, each alone."""
    names = tuple(HABITS) if profile == "full" else ("Algorithm 1", "no discount weights")
    n = 6 if profile == "smoke" else 20
    return {name: _training(profile, n, "quadratic_state", initial_scale=0.5, **HABITS[name]) for name in names}


def tradeoff_arms(profile: Profile) -> dict[str, TrainingStudy]:
    """Batch, horizon and step size around the default, 20 agents; iterations fixed."""
    n, one = (6, 1) if profile == "smoke" else (20, None)
    step = STEP["quadratic_state"] * n
    grid: dict[str, dict[str, Any]] = {
        **{f"batch {b}": {"batch": b} for b in (4, 16, 64, 256)[:one]},
        **{f"horizon {h}": {"horizon": h} for h in (5, 10, 20, 80)[:one]},
        **{f"step {c:g}": {"step_size": c * step} for c in (0.1, 0.3, 3.0, 10.0)[:one]},
    }
    return {
        label: _training(profile, n, "quadratic_state", initial_scale=0.5, **change) for label, change in grid.items()
    }


BUDGETS = (30_000, 100_000, 300_000, 1_000_000, 3_000_000)
LARGEST_BUDGET = 10_000_000


def sample_arms(profile: Profile) -> dict[str, SampleStudy]:
    """Budgets of transitions by size and radius; the largest budget for one pair only."""
    budgets = {"smoke": (1_000, 3_000), "quick": (10_000, 30_000, 100_000), "full": BUDGETS}[profile]
    pairs = {"smoke": ((5, 1),), "quick": ((20, 1),), "full": ((5, 1), (20, 0), (20, 1), (20, 2), (80, 1))}[profile]
    chosen = [(n, kappa, samples) for n, kappa in pairs for samples in budgets]
    if profile == "full":
        chosen.append((20, 2, LARGEST_BUDGET))
    return {f"{n} agents, kappa {kappa}, {samples} samples": _budget(n, kappa, samples) for n, kappa, samples in chosen}


# from pilots on seeds that are not reported; with fewer iterations the first ones decide the mean.
def _budget(n: int, kappa: int, samples: int) -> SampleStudy:
    learner: dict[str, Any] = {"discount": 0.8, "horizon": 40, "kappa": kappa, "step_size": 3.0 * n, "batch": 1}
    return SampleStudy(
        options={**RING, "n": n}, learner=TruncatedPGSettings(**learner), samples=samples, iterations_per_batch=10.0
    )


# ---- tasks of the neighbouring papers ----------------------------------------------------------------------------


def world_arms(profile: Profile) -> dict[str, WorldStudy]:
    """The line of the safe follow-up and two wireless grids."""
    short = {"smoke": {"iterations": 2, "episodes": 10}, "quick": {"iterations": 60}, "full": {}}[profile]
    line = {"discount": 0.99, "horizon": 125, "batch": 16, "update": "adam", "step_size": 0.05}
    grid = {"discount": 0.7, "horizon": 12, "batch": 64, "update": "adam", "step_size": 0.05}
    arms = {}
    for kappa in (0, 1) if profile != "full" else (0, 1, 2):
        arms[f"line, kappa {kappa}"] = _task("network/line", line | {"kappa": kappa}, short)
        arms[f"wireless grid, kappa {kappa}"] = _task("network/wireless-grid", grid | {"kappa": kappa}, short)
        if kappa < 2:
            lin, long = grid | {"kappa": kappa, "horizon": 10}, {"iterations": 2000, "evaluate_every": 100}
            arms[f"wireless cells, kappa {kappa}"] = _task("network/wireless", lin, long | short)
    if profile == "full":
        for floor in (0.3, 0.5, 0.8):
            arms[f"line, kappa 1, entropy {floor:g}"] = _task(
                "network/line", line | {"kappa": 1}, short | {"entropy_floor": floor}
            )
        shipped = as_shipped(kappa=1).plain()
        arms["line, as shipped"] = WorldStudy(world="network/line", learner=TruncatedPGSettings(**shipped))
    return arms


def scripted_arms(profile: Profile) -> dict[str, ScriptedStudy]:
    """Policies that need no learning, on the same tasks."""
    episodes = 10 if profile == "smoke" else 4000
    given = {
        "line, always 1": ("network/line", "always"),
        "line, random": ("network/line", "random"),
        "wireless grid, fixed probability": ("network/wireless-grid", "fixed_probability"),
        "wireless grid, random": ("network/wireless-grid", "random"),
        "wireless cells, fixed probability": ("network/wireless", "fixed_probability"),
        "wireless cells, random": ("network/wireless", "random"),
    }
    return {
        label: ScriptedStudy(world=world, controller=name, discount=0.99 if "line" in label else 0.7, episodes=episodes)
        for label, (world, name) in given.items()
    }


def _task(world: str, learner: dict[str, Any], changes: dict[str, Any]) -> WorldStudy:
    return WorldStudy(**{"world": world, "learner": TruncatedPGSettings(**learner), **changes})


# ---- continuous states and actions -------------------------------------------------------------------------------

HELPED: dict[str, dict[str, Any]] = {
    "exact": {"source": "exact"},
    "reward to go, kappa 1": {"critic": "reward_to_go", "baseline": "none"},
    "least squares, kappa 1": {"critic": "least_squares"},
    "LSTD, kappa 0": {"critic": "lstd", "kappa": 0},
    "LSTD, kappa 1": {"critic": "lstd"},
    "network, kappa 1": {"critic": "network"},
}
DENSITIES = ("gaussian", "mixture", "histogram", "kernel")


def continuous_arms(profile: Profile) -> dict[str, ContinuousStudy]:
    """Helpers with different critics, entropy with different density models (critic: least squares)."""
    helped = HELPED if profile == "full" else {name: HELPED[name] for name in ("exact", "least squares, kappa 1")}
    fitted = DENSITIES if profile == "full" else ("gaussian", "histogram")
    arms = {
        f"helpers, {label}": _continuous(profile, "helpers", 1.0, 1.0, **change) for label, change in helped.items()
    }
    arms["entropy, exact"] = _continuous(profile, "entropy", 3.0, 0.1, source="exact", shadow="exact")
    for name in fitted:
        model: dict[str, Any] = {"shadow": name, "density_samples": "weighted"}
        arms[f"entropy, {name}"] = _continuous(profile, "entropy", 3.0, 0.1, **model)
    return arms


def _continuous(
    profile: Profile, utility: Any, start_std: float, step: float, source: Source = "sampled", **learner: Any
) -> ContinuousStudy:
    chosen = {"gain_high": 0.5, "initial_gain": 0.25, "step_size": step} | learner
    network = LinearGaussianSettings(memory=0.5, coupling=0.45, start_std=start_std)
    iterations = {"smoke": 2, "quick": 30, "full": 150}[profile]
    return ContinuousStudy(
        network=network, utility=utility, learner=ContinuousPGSettings(**chosen), source=source, iterations=iterations
    )
