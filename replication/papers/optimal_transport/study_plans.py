"""Settings of the experiments without learning: scaling, allocation, energy, detection, comparison, exact alignment."""

from typing import Any, Literal

from replication.settings import Settings, setting

QUICK_CHECK = "suggested in a summary of 2401.10949"
SCALABLE = "2401.10949, scalable learning"
RESOURCES = "2401.10949, resource management"
SHIFTS = "2401.10949, non-stationarity"

PairMethod = Literal[
    "exact", "programme", "sinkhorn", "sliced", "gaussian", "diagonal", "line", "unbalanced",
    "neighbours", "barycenter", "groups",
]  # fmt: skip
AssignmentMethod = Literal["hungarian", "compiled", "programme", "sinkhorn", "unbalanced", "greedy"]
BarycenterMethod = Literal["flat", "entropic", "gaussian", "nearby groups", "random groups", "pool"]
Distributed = Literal["centre", "gaussian", "quantiles", "points"]
Graph = Literal["ring", "nearest", "complete"]


class VisitsStudy(Settings):
    """What the studies of agents' visits have: positions and velocities of scripted agents in a few episodes."""

    samples: int = setting(64, "visits of every agent", unit="visit", origin="ours (A-340)", ge=16, multiple_of=16)
    sizes: tuple[int, ...] = setting((2, 4, 8, 16, 32, 64, 100), "numbers of agents", unit="agent", origin=QUICK_CHECK)


class DistanceScalingStudy(VisitsStudy):
    """Time, memory and error of how far apart all agents are, over the number of agents or of samples."""

    method: PairMethod = setting("exact", "how it is computed", origin=QUICK_CHECK)
    vary: Literal["agents", "samples"] = setting("agents", "what the sizes are numbers of", origin="ours (A-342)")
    agents: int = setting(4, "agents where samples vary", unit="agent", origin="ours (A-342)", ge=2)


class AssignmentScalingStudy(Settings):
    """Time, memory and error of assigning agents to targets, over the number of agents."""

    method: AssignmentMethod = setting("hungarian", "how it is computed", origin=QUICK_CHECK)
    agents_per_target: int = setting(
        1, "agents that every target takes", unit="agent", origin="ours (A-342): more than one needs masses", ge=1
    )
    sizes: tuple[int, ...] = setting((2, 4, 8, 16, 32, 64, 100), "numbers of agents", unit="agent", origin=QUICK_CHECK)


class BarycenterStudy(VisitsStudy):
    """Time and quality of a barycenter of the agents' visits, over the number of agents."""

    method: BarycenterMethod = setting("flat", "how it is computed", origin=SCALABLE)
    group: int = setting(4, "agents in a group", unit="agent", origin="ours (A-343)", ge=2)


class DistributedStudy(VisitsStudy):
    """Messages until all agents hold the team's barycenter, over the number of agents."""

    what: Distributed = setting(
        "gaussian",
        "centre: sent to one place and back; else what neighbours average: means and deviations, quantiles along "
        "lines, or points",
        origin="summary of 2401.10949: central or distributed computation",
    )
    graph: Graph = setting("nearest", "who talks to whom", origin="ours (A-341)")
    neighbours: int = setting(4, "nearest others an agent talks to", unit="agent", origin="ours (A-341)", ge=1)
    tolerance: float = setting(0.01, "share of the first disagreement left", origin="ours (A-341)", gt=0, lt=1)


class AllocationStudy(Settings):
    """Supplies to demands, one shot: cost, unmet demand and fairness of an allocation."""

    method: Literal[
        "transport", "unit copies", "greed", "turns", "random", "sinkhorn", "unbalanced", "rationing"
    ] = setting("transport", "how units are allocated", origin=RESOURCES)  # fmt: skip
    suppliers: int = setting(12, "number of suppliers", origin="ours (A-344)", ge=2, le=100)
    consumers: int = setting(6, "number of consumers", origin="ours (A-344)", ge=1, le=100)
    most_units: int = setting(
        1, "supplies are whole numbers from 1 to this", unit="unit", origin="ours (A-344): 1 is an assignment", ge=1
    )
    scarcity: float = setting(
        0.0, "share of the demand for which there is no supply", origin="ours (A-344)", ge=0, lt=1
    )
    regularisation: float = setting(
        0.05, "entropy of sinkhorn and unbalanced", unit="median cost", origin="ours (A-311)", gt=0
    )
    price: float = setting(1.0, "price of marginals, unbalanced", unit="median cost", origin="ours (A-311)", gt=0)
    instances: int = setting(40, "random instances of a seed", unit="instance", origin="ours (A-344)", ge=1)


class FleetStudy(Settings):
    """Scripted agents that meet demands: who goes where is decided by a price on distance and on energy."""

    world: str = setting("navigation/supply6", "navigation world", origin="2401.10949, energy efficiency")
    options: dict[str, Any] = setting({}, "the world's settings that differ from its defaults", origin="ours (A-346)")
    dispatch: Literal["dynamics", "distance", "squared", "greedy", "fixed_role", "random_role"] = setting(
        "dynamics",
        "dynamics: cheapest by simulated moves; distance and squared: cheapest by those; greedy: nearest, whoever else "
        "goes there; roles: by number or by lot",
        origin="ours (A-346); distance: 2401.10949",
    )
    energy_weight: float = setting(
        0.0, "weight of energy against distance in the dynamics cost", origin="ours (A-346)", ge=0, le=1
    )
    effort: float = setting(1.0, "share of the full push that is ever used", origin="ours (A-347)", gt=0, le=1)
    episodes: int = setting(200, "episodes of a seed", unit="episode", origin="ours (A-346)", ge=1)


class DetectionStudy(Settings):
    """Sudden change of a partner's behaviour: how well and how soon a statistic shows it."""

    detector: Literal[
        "sliced", "exact", "gaussian", "gaussian_divergence", "mean_discrepancy",
        "choice_variation", "choice_divergence", "choice_distance", "reward_shift", "reward_sum", "model_sum",
        "permutation",
    ] = setting("sliced", "statistic that is watched", origin=f"{SHIFTS}; rivals: ours (A-351)")  # fmt: skip
    features: Literal["behaviour", "visits", "observation"] = setting(
        "behaviour",
        "behaviour: offset to the nearest landmark, velocity, push; visits: position, velocity; observation: all of it",
        origin="ours (A-350)",
    )
    before: str = setting("greedy", "partner's controller before the change", origin=SHIFTS)
    after: str = setting("random", "partner's controller after it; mirrored: before, reversed", origin=SHIFTS)
    team: str = setting("fixed_role", "controller of the others", origin="ours (A-350)")
    agents: int = setting(
        3, "agents of the team", unit="agent", origin="suggested in a summary of 2401.10949: 2 to 4 agents", ge=2
    )
    reference: int = setting(32, "episodes before the first window", unit="episode", origin="ours (A-350)", ge=2)
    window: int = setting(4, "episodes in a window", unit="episode", origin="ours (A-350)", ge=1)
    quiet: int = setting(24, "episodes before the change, reference not counted", unit="episode", origin="ours (A-350)",
                         ge=1)  # fmt: skip
    watched: int = setting(24, "episodes after the change", unit="episode", origin="ours (A-350)", ge=1)
    streams: int = setting(24, "streams of a seed", unit="stream", origin="ours (A-350)", ge=1)
    false_alarms: float = setting(
        0.01, "share of quiet windows with an alarm", origin="ours (A-350); delay at a fixed rate", gt=0, lt=1
    )
    permutations: int = setting(99, "exchanges of the permutation test", origin="ours (A-352)", ge=1)


class ComparisonStudy(Settings):
    """Wasserstein against Kullback-Leibler on pairs of policies whose distance is known."""

    pair: Literal["shifted_gaussians", "disjoint_supports", "moves"] = setting(
        "shifted_gaussians", "which pairs of policies", origin=QUICK_CHECK
    )


class ConsequenceStudy(Settings):
    """Does a distance between two policies say how far apart they bring an agent?"""

    pairs: int = setting(200, "pairs of random policies of a seed", unit="pair", origin="ours (A-354)", ge=3)
    concentration: float = setting(0.5, "Dirichlet parameter of the policies", origin="ours (A-354)", gt=0)
    steps: int = setting(
        10, "steps played; a first push moves only from the second on", unit="step", origin="ours (A-354)", ge=2
    )
    episodes: int = setting(64, "episodes of each policy", unit="episode", origin="ours (A-354)", ge=2)


class NullStudy(Settings):
    """What sampling alone makes of equal distributions, against a shift of one deviation."""

    method: Literal["exact", "sliced", "gaussian", "gaussian_divergence"] = setting(
        "exact", "distance between samples", origin="ours (A-355)"
    )
    features: int = setting(4, "dimension", origin="ours (A-355): 18 is an observation of three agents", ge=1)
    samples: int = setting(128, "points of each sample", unit="point", origin="ours (A-355)", ge=2)
    repeats: int = setting(20, "pairs of samples of a seed", unit="pair", origin="ours (A-355)", ge=1)


class VoterAlignmentStudy(Settings):
    """Alignment of occupancies on a voter network, where the optimum over all joint policies is known."""

    agents: int = setting(6, "number of agents", unit="agent", origin="ours (A-356)", ge=2)
    utility: Literal["targets", "reward", "entropy"] = setting(
        "targets", "what the team wants: own targets, a reward for state 1, or entropy of the state",
        origin="2302.07938, objective",
    )  # fmt: skip
    spread: float = setting(
        1.0, "how far the agents' targets are apart: 0 all alike, 1 from 0.1 to 0.9", origin="ours (A-356)", ge=0, le=1
    )
    divergence: Literal["transport", "jeffreys"] = setting(
        "transport", "distance between occupancies", origin="2401.10949, policy alignment; the other: for comparison"
    )
    beta: float = setting(0.0, "price on the mean distance of pairs", origin="2401.10949, policy alignment", ge=0)
    discount: float = setting(0.9, "discount per step", origin="ours (A-356)", ge=0, lt=1)


class VoterTrainingStudy(VoterAlignmentStudy):
    """Exact policy gradient with and without alignment: how soon the team's own utility is near its optimum."""

    change: bool = setting(
        False, "start from the optimum for other targets, the mirrored ones, instead of random logits", origin=SHIFTS
    )
    align_to: Literal["each other", "own past"] = setting(
        "each other", "whose occupancy: the others' now, or the own one before the change, which is stale",
        origin="2401.10949, policy alignment; past: ours (A-357)",
    )  # fmt: skip
    start_spread: float = setting(1.0, "deviation of the first logits", origin="ours (A-357)", ge=0)
    share: bool = setting(
        False, "all agents have the same logits, moved by the mean of their gradients", origin="ours (A-357): control"
    )
    update: Literal["ascent", "normalised"] = setting(
        "ascent", "plain steps, or steps of one length, whatever alignment adds to the gradient",
        origin="ours (A-357): control",
    )  # fmt: skip
    step_size: float = setting(2.0, "step along the exact gradient", origin="ours (A-357)", gt=0)
    iterations: int = setting(400, "gradient steps", unit="iteration", origin="ours (A-357)", ge=1)
    evaluate_every: int = setting(5, "steps between two looks", unit="iteration", origin="ours (A-357)", ge=1)
