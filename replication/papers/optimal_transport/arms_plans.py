"""Arms of the optimal-transport experiments that train no policy.

Labels are what figures, tables and claims call an arm.
"""

from typing import Any

from replication.papers.optimal_transport.study_plans import (
    AllocationStudy,
    AssignmentScalingStudy,
    BarycenterStudy,
    ComparisonStudy,
    ConsequenceStudy,
    DetectionStudy,
    DistanceScalingStudy,
    DistributedStudy,
    FleetStudy,
    NullStudy,
    VoterAlignmentStudy,
    VoterTrainingStudy,
)
from replication.settings import Profile

# ---- scaling -----------------------------------------------------------------------------------------------------

PAIR_METHODS = (
    "exact", "programme", "sinkhorn", "sliced", "gaussian", "diagonal", "line", "unbalanced", "neighbours",
    "barycenter", "groups",
)  # fmt: skip
BY_SAMPLES = ("exact", "programme", "sinkhorn", "sliced", "gaussian", "barycenter")
SIZES = {"smoke": (2, 8), "quick": (2, 4, 8, 16, 32), "full": (2, 4, 8, 16, 32, 50, 100)}
FEW = 16  # agents up to which the slowest solver is timed: it takes tens of milliseconds a pair


def distance_scaling_arms(profile: Profile) -> dict[str, DistanceScalingStudy]:
    """Every way to say how far all agents are apart, over agents with 32 visits each; some over visits."""
    base, arms = DistanceScalingStudy(sizes=SIZES[profile], samples=32), {}
    for method in PAIR_METHODS:
        few = tuple(size for size in SIZES[profile] if size <= FEW or method != "unbalanced")
        arms[method] = base.but(method=method, sizes=few)
    for method in BY_SAMPLES if profile == "full" else ():
        arms[f"{method}, samples"] = base.but(method=method, sizes=(16, 32, 64, 128, 256), vary="samples")
    return arms


def assignment_scaling_arms(profile: Profile) -> dict[str, AssignmentScalingStudy]:
    """Every way to assign agents to as many targets, to 400; three with targets that take two."""
    base = AssignmentScalingStudy(sizes=SIZES[profile] + ((200, 400) if profile == "full" else ()))
    methods = ("hungarian", "compiled", "programme", "sinkhorn", "unbalanced", "greedy")
    arms = {method: base.but(method=method) for method in methods}
    for method in ("hungarian", "programme", "sinkhorn") if profile == "full" else ():
        arms[f"{method}, two per target"] = base.but(method=method, agents_per_target=2)
    return arms


def barycenter_arms(profile: Profile) -> dict[str, BarycenterStudy]:
    """Flat, grouped and approximate barycenters; the entropic one only of a few agents."""
    sizes = {"smoke": (8,), "quick": (8, 16), "full": (8, 16, 32, 64)}[profile]
    base = BarycenterStudy(sizes=sizes, samples=32)
    methods = ("flat", "nearby groups", "random groups", "gaussian", "pool")
    arms = {method: base.but(method=method) for method in methods}
    if profile == "full":
        arms["nearby groups of 8"] = base.but(method="nearby groups", sizes=sizes[1:], group=8)
        arms["entropic"] = base.but(method="entropic", sizes=(4, 8))
    return arms


def message_arms(profile: Profile) -> dict[str, DistributedStudy]:
    """Central against gossip, by what is averaged and who talks to whom."""
    sizes = {"smoke": (4, 8), "quick": (4, 8, 16, 32), "full": (4, 8, 16, 32, 64, 100)}[profile]
    base = DistributedStudy(sizes=sizes, samples=32)
    arms = {"centre": base.but(what="centre"), "quantiles, nearest": base.but(what="quantiles")}
    for graph in ("ring", "nearest", "complete"):
        arms[f"gaussian, {graph}"] = base.but(graph=graph)
    for graph in ("nearest", "complete") if profile != "smoke" else ():
        arms[f"points, {graph}"] = base.but(what="points", graph=graph, sizes=(4, 8, 16))
    return arms


# ---- resources and energy ----------------------------------------------------------------------------------------

ALLOCATORS = ("transport", "unit copies", "greed", "turns", "random", "sinkhorn", "unbalanced", "rationing")
MARKETS: dict[str, dict[str, Any]] = {
    "equal": {}, "units": {"most_units": 5}, "scarce": {"most_units": 5, "scarcity": 0.25},
}  # fmt: skip


def allocation_arms(profile: Profile) -> dict[str, AllocationStudy]:
    """Every way to allocate, with equal units, unequal ones, and a quarter too few."""
    count = {"smoke": 2, "quick": 10, "full": 40}[profile]
    arms = {
        f"{market}, {method}": AllocationStudy(instances=count, **options).but(method=method)
        for market, options in MARKETS.items()
        for method in ALLOCATORS
    }
    for share in (0.01, 0.2) if profile == "full" else ():
        label = f"units, sinkhorn, entropy {share:g}"
        arms[label] = AllocationStudy(method="sinkhorn", regularisation=share, **MARKETS["units"])
    for price in (0.3, 3.0, 10.0) if profile == "full" else ():
        arms[f"scarce, unbalanced, price {price:g}"] = AllocationStudy(
            method="unbalanced", price=price, **MARKETS["scarce"]
        )
    return arms


FLEETS: dict[str, dict[str, Any]] = {
    "alike": {},
    "moving": {"initial_speed": 1.0},
    "unequal": {"sensitivity": [3.0, 5.0, 8.0]},
    "moving and unequal": {"initial_speed": 1.0, "sensitivity": [3.0, 5.0, 8.0]},
}
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
EFFORTS = (0.75, 0.5, 0.25)


def fleet_arms(profile: Profile) -> dict[str, FleetStudy]:
    """Dispatch by distance, by simulated distance and energy, without coordination, and with less effort."""
    episodes = {"smoke": 8, "quick": 100, "full": 200}[profile]
    fleets = FLEETS if profile != "smoke" else {"unequal": FLEETS["unequal"]}
    arms = {}
    for fleet, options in fleets.items():
        base = FleetStudy(options=options, episodes=episodes)
        for dispatch in ("distance", "squared", "greedy", "fixed_role", "random_role"):
            arms[f"{fleet}, {dispatch.replace('_', ' ')}"] = base.but(dispatch=dispatch)
        for weight in WEIGHTS:
            arms[f"{fleet}, energy weight {weight:g}"] = base.but(energy_weight=weight)
        for effort in EFFORTS:
            arms[f"{fleet}, effort {effort:g}"] = base.but(dispatch="distance", effort=effort)
    return arms


# ---- detection ---------------------------------------------------------------------------------------------------

DETECTORS = (
    "sliced", "exact", "gaussian", "gaussian_divergence", "mean_discrepancy", "choice_variation", "choice_divergence",
    "choice_distance", "reward_shift", "reward_sum", "model_sum", "permutation",
)  # fmt: skip
CHANGES = (
    ("greedy", "random"), ("greedy", "no_operation"), ("greedy", "mirrored"), ("greedy", "fixed_role"),
    ("fixed_role", "greedy"),
)  # fmt: skip
OTHER_WINDOWS = (1, 16)
WINDOW_DETECTORS = ("sliced", "exact", "gaussian_divergence", "choice_variation", "reward_shift", "permutation")
SMALL: dict[str, Any] = {"streams": 4, "quiet": 8, "watched": 8, "reference": 8, "permutations": 19}


def detection_arms(profile: Profile) -> dict[str, DetectionStudy]:
    """Every detector on every change; transport on other features; some with shorter and longer windows."""
    small = SMALL if profile == "smoke" else {}
    arms = {}
    for before, after in CHANGES if profile == "full" else CHANGES[:1]:
        change = f"{before} to {after}".replace("_", " ")
        base = DetectionStudy(before=before, after=after, **small)
        for detector in DETECTORS:
            arms[f"{change}, {detector.replace('_', ' ')}"] = base.but(detector=detector)
        for features in ("visits", "observation"):
            arms[f"{change}, sliced on {features}"] = base.but(features=features)
        arms[f"{change}, exact on observation"] = base.but(detector="exact", features="observation")
    for window in OTHER_WINDOWS if profile == "full" else ():
        for detector in WINDOW_DETECTORS:
            label = f"greedy to random, {detector.replace('_', ' ')}, window {window}"
            arms[label] = DetectionStudy(window=window).but(detector=detector)
    return arms


# ---- Wasserstein against Kullback-Leibler ------------------------------------------------------------------------


def comparison_arms(profile: Profile) -> dict[str, ComparisonStudy]:
    """The known pairs of policies."""
    pairs = ("shifted_gaussians", "disjoint_supports", "moves")
    return {pair.replace("_", " "): ComparisonStudy().but(pair=pair) for pair in pairs}


def consequence_arms(profile: Profile) -> dict[str, ConsequenceStudy]:
    """From nearly sure policies to even ones."""
    pairs = {"smoke": 20, "quick": 100, "full": 200}[profile]
    return {
        f"concentration {value:g}": ConsequenceStudy(concentration=value, pairs=pairs)
        for value in ((0.2, 0.5, 1.0) if profile == "full" else (0.5,))
    }


def null_arms(profile: Profile) -> dict[str, NullStudy]:
    """Distances over dimension and number of samples."""
    dimensions = (1, 2, 4, 18) if profile == "full" else (4, 18)
    return {
        f"{method.replace('_', ' ')}, {features} features, {samples} samples": NullStudy(
            method=method, features=features, samples=samples
        )
        for method in ("exact", "sliced", "gaussian", "gaussian_divergence")
        for features in dimensions
        for samples in ((32, 128) if profile == "full" else (32,))
    }


# ---- alignment on the voter network ------------------------------------------------------------------------------

GOALS: dict[str, dict[str, Any]] = {
    "same goals": {"spread": 0.0},
    "half different goals": {"spread": 0.5},
    "different goals": {"spread": 1.0},
    "reward": {"utility": "reward"},
    "entropy": {"utility": "entropy"},
}
PRICES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TRAINED_PRICES = (0.0, 0.03, 0.1, 0.3, 1.0)
STEPS: dict[str, dict[str, Any]] = {"plain": {}, "normalised": {"update": "normalised", "step_size": 0.05}}


def voter_optimum_arms(profile: Profile) -> dict[str, VoterAlignmentStudy]:
    """Optima with and without alignment, for goals that agree and goals that do not."""
    return {
        f"{goal}, {divergence}, beta {beta:g}": VoterAlignmentStudy(divergence=divergence, beta=beta, **options)
        for goal, options in GOALS.items()
        for divergence in ("transport", "jeffreys")
        for beta in (PRICES if profile == "full" else (0.0, 1.0))
    }


def voter_training_arms(profile: Profile) -> dict[str, VoterTrainingStudy]:
    """Exact training with and without alignment, with shared logits, and after the goals have changed."""
    iterations = {"smoke": 10, "quick": 200, "full": 400}[profile]
    prices = TRAINED_PRICES if profile == "full" else (0.0, 1.0)
    goals = ("same goals", "different goals", "entropy") if profile == "full" else ("same goals", "different goals")
    arms = {}
    for goal in goals:
        for step, how in STEPS.items():
            base = VoterTrainingStudy(iterations=iterations, **GOALS[goal], **how)
            for beta in prices:
                arms[f"{goal}, {step}, beta {beta:g}"] = base.but(beta=beta)
            arms[f"{goal}, {step}, shared"] = base.but(share=True)
        if profile == "full":
            kept = VoterTrainingStudy(iterations=iterations, divergence="jeffreys", **GOALS[goal])
            arms |= {f"{goal}, plain, jeffreys, beta {beta:g}": kept.but(beta=beta) for beta in prices[2:]}
    for step, how in STEPS.items() if profile == "full" else ():
        changed = VoterTrainingStudy(iterations=iterations, change=True, start_spread=0.5, **how)
        arms[f"changed goals, {step}, beta 0"] = changed
        for towards in ("each other", "own past"):
            for beta in prices[2:]:
                arms[f"changed goals, {step}, {towards}, beta {beta:g}"] = changed.but(align_to=towards, beta=beta)
    return arms
