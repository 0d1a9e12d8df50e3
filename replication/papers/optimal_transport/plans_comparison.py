"""Wasserstein against Kullback-Leibler on policies: known pairs, consequences in the arena, sampling noise."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import spearmanr

import replication
from replication.algos import detection_statistics as statistics
from replication.algos.transport import TransportSettings, distance
from replication.algos.transport_actions import gaussian_distances, gaussian_jeffreys
from replication.algos.transport_closed_forms import line_cost, total_variation
from replication.algos.transport_points import MOVES, discrete_distance, extreme_potentials, move_metric
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.plans import same_for_all
from replication.papers.optimal_transport.study_plans import ComparisonStudy, ConsequenceStudy, NullStudy
from replication.seeding import keys, stream

DEVIATIONS = np.array([1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125])
SHIFTS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0])
SHIFT = 1.0  # of the Gaussians' means
BINS, WIDTH = 8, 1.0  # per unit of length, and width of the uniform policies
UNSEEN = 1e-6  # added to every bin: the plain divergence is infinite


def compare(study: ComparisonStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Distances and their gradients on pairs of policies whose true distance is known."""
    measured = {"shifted_gaussians": shifted_gaussians, "disjoint_supports": disjoint_supports, "moves": moves}
    scores, curves = measured[study.pair]()
    return Result(scores=same_for_all(scores, seeds).scores, curves=curves)


def shifted_gaussians() -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Means one apart, deviations from 1 to 1/32: exponents of values and of gradients in the mean.

    Gradients are those that alignment would follow, through the differentiable distances.
    """
    found: dict[str, list[float]] = {}
    for deviation in DEVIATIONS:
        for name, function in {"transport": gaussian_distances, "divergence": gaussian_jeffreys}.items():
            mean = torch.tensor([[[0.0]], [[SHIFT]]], dtype=torch.float64, requires_grad=True)
            value = function(mean, torch.full_like(mean, float(deviation)))[0, 1]
            (slope,) = torch.autograd.grad(value, mean)
            found.setdefault(f"{name}_value", []).append(float(value.detach()))
            found.setdefault(f"{name}_gradient", []).append(abs(float(slope[0])))
    curves = {f"_{name}": np.array(values) for name, values in found.items()} | {"_deviation": DEVIATIONS}
    scores = {
        f"{name}_exponent": float(np.polyfit(np.log(DEVIATIONS), np.log(values), 1)[0])
        for name, values in found.items()
    }
    largest_step = 2.0 / np.array(found["divergence_gradient"]) * SHIFT
    return scores | {"step_ratio": float(largest_step[0] / largest_step[-1])}, curves


def disjoint_supports() -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Uniform policies of width 1, the other one moved: what still grows once they no longer overlap.

    "growth" is the value at the largest shift over the value at the first without overlap; the divergence adds 1e-6
    to every bin, without which it is infinite.
    """
    length = int((SHIFTS[-1] + WIDTH) * BINS)
    places = (np.arange(length) + 0.5) / BINS
    base = np.where(places < WIDTH, 1.0 / (BINS * WIDTH), 0.0)
    found: dict[str, list[float]] = {"transport": [], "divergence": [], "variation": []}
    for shift in SHIFTS:
        moved = np.roll(base, round(shift * BINS))
        found["transport"].append(float(np.abs(np.cumsum(base - moved)).sum() / BINS))
        p, q = ((law + UNSEEN) / (1.0 + UNSEEN * length) for law in (base, moved))
        found["divergence"].append(float(((p - q) * np.log(p / q)).sum()))
        found["variation"].append(float(total_variation(base, moved)))
    first = int(np.flatnonzero(SHIFTS >= WIDTH)[0])
    scores = {f"{name}_growth": values[-1] / values[first] for name, values in found.items()}
    scores["transport_error"] = float(np.abs(np.array(found["transport"]) - SHIFTS).max())
    return scores, {f"_{name}": np.array(values) for name, values in found.items()} | {"_shift": SHIFTS}


def moves() -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Sure moves: how much farther right is from left than from staying, under each ground metric."""
    left, right, stay = np.eye(len(MOVES))[[1, 2, 0]]
    scores = {}
    for name in ("euclidean", "star", "equal"):
        potentials = extreme_potentials(move_metric(name))
        scores[f"{name}_ratio"] = float(
            discrete_distance(left, right, potentials) / discrete_distance(left, stay, potentials)
        )
    scores["variation_ratio"] = float(total_variation(left, right) / total_variation(left, stay))
    rng = stream("move policies")
    p, q = rng.dirichlet(np.ones(len(MOVES)), (2, 1000))
    equal = extreme_potentials(move_metric("equal"))
    scores["equal_against_variation"] = float(np.abs(discrete_distance(p, q, equal) - total_variation(p, q)).max())
    return scores, {}


# ---- consequences ------------------------------------------------------------------------------------------------


def measure_consequences(study: ConsequenceStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Rank correlation of distances between policies on the five moves with how far apart agents end up.

    An agent plays each policy, the same at every step; the truth is the W_2 between where its episodes end. "ahead" is
    how much better transport with the Euclidean metric of moves does than the divergence.
    """
    metrics = _policy_distances()
    scores = {name: np.empty(len(seeds)) for name in metrics}
    for row, seed in enumerate(seeds):
        rng = stream("consequence policies", seed)
        p, q = rng.dirichlet(np.full(len(MOVES), study.concentration), (2, study.pairs))
        ends = final_positions(study, np.concatenate([p, q]), seed)
        truth = [distance(x, y, TransportSettings(method="exact")) for x, y in zip(*np.split(ends, 2), strict=True)]
        for name, metric in metrics.items():
            scores[name][row] = spearmanr(metric(p, q), truth).statistic
        run.progress((row + 1) / len(seeds))
    return Result(scores=scores | {"ahead": scores["euclidean"] - scores["divergence"]})


def final_positions(study: ConsequenceStudy, policies: np.ndarray, seed: int) -> np.ndarray:
    """(P, episodes, 2) where an agent is, from the origin of its start, after playing each policy (P, 5)."""
    lanes = len(policies) * study.episodes
    world = replication.make("navigation/spread2", num_envs=lanes, contact=False)
    world.reset(keys("consequence starts", seed, count=lanes))
    start, rng = world.positions[:, 0], stream("consequence moves", seed)
    limits = np.repeat(np.cumsum(policies, axis=1)[:, :-1], study.episodes, axis=0)
    for _ in range(study.steps):
        actions = np.zeros((lanes, 2, 1), dtype=np.int64)
        actions[:, 0, 0] = (rng.random((lanes, 1)) > limits).sum(axis=1)
        world.step(actions)
    return (world.positions[:, 0] - start).reshape(len(policies), study.episodes, 2)


def _policy_distances() -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    potentials = {name: extreme_potentials(move_metric(name)) for name in ("euclidean", "star")}

    def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        p, q = np.maximum(p, UNSEEN), np.maximum(q, UNSEEN)
        return ((p - q) * np.log(p / q)).sum(axis=1)

    return {
        "euclidean": lambda p, q: discrete_distance(p, q, potentials["euclidean"]),
        "star": lambda p, q: discrete_distance(p, q, potentials["star"]),
        "variation": total_variation,
        "divergence": divergence,
    }


# ---- sampling noise ----------------------------------------------------------------------------------------------


def measure_null(study: NullStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Distance between samples of one standard normal law, and of it and one shifted by 1 in its first feature.

    "null" and "shifted" are means over the repeats, "signal" is the shift's effect on the mean over the null's
    deviation, "share" how much of the shifted value is null.
    """
    scores = {name: np.empty(len(seeds)) for name in ("null", "shifted", "signal", "share")}
    shift = np.eye(1, study.features)[0]
    for row, seed in enumerate(seeds):
        rng = stream("null samples", seed)
        x, y = rng.standard_normal((2, study.repeats, study.samples, study.features))
        null, shifted = (np.array([sample_distance(study.method, a, b) for a, b in zip(x, z, strict=True)])
                         for z in (y, y + shift))  # fmt: skip
        scores["null"][row], scores["shifted"][row] = null.mean(), shifted.mean()
        scores["signal"][row] = (shifted.mean() - null.mean()) / null.std(ddof=1)
        scores["share"][row] = null.mean() / shifted.mean()
    return Result(scores=scores)


def sample_distance(method: str, x: np.ndarray, y: np.ndarray) -> float:
    """Distance between two samples (m, d); the divergence is that of Gaussians with independent features."""
    if method == "gaussian_divergence":
        return float(statistics.gaussian_divergence(x, y[None])[0])
    if method == "exact" and x.shape[1] == 1:
        return float(np.sqrt(line_cost(x, y, 2)[0]))
    return distance(x, y, TransportSettings(method=method))  # type: ignore[arg-type]
