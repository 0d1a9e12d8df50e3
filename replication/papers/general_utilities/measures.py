"""What the exact and single-estimate experiments measure: decay, truncation, estimates, critics, shadow rewards."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from replication.algos.shadow_critics import td_values
from replication.algos.truncated_gradient import estimate_gradient, reach
from replication.algos.truncated_pg_settings import TruncatedPGSettings
from replication.algos.utilities import utility
from replication.envs import exact
from replication.envs import voter_exact as voter
from replication.envs.network_kernel import empirical_occupancy, rollout
from replication.envs.networked_mdp import LinearRule, LocalPolicy, NetworkModel, codes, own_state_policy
from replication.orchestration.plan import Result, Run
from replication.papers.general_utilities import problems
from replication.papers.general_utilities.study import (
    CriticStudy,
    DecayStudy,
    EstimateStudy,
    GrowthStudy,
    ShadowStudy,
    TruncationStudy,
)
from replication.seeding import keys, stream

RADII = 4  # κ = 0 to 3, all there are on a ring of eight
CRITIC_HORIZON = 1000  # long trajectories: the table learns along them as in Qu et al.
SHADOW_DISCOUNT, SHADOW_HORIZON = 0.9, 100


def random_policy(model: NetworkModel, purpose: str, seed: int, scale: float = 1.0) -> LocalPolicy:
    """Own-state softmax policy with normal logits of that deviation."""
    logits = scale * stream(purpose, seed).normal(size=(model.agents, model.states, model.actions))
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    return own_state_policy(odds / odds.sum(axis=2, keepdims=True))


def up_rewards(model: NetworkModel) -> np.ndarray:
    """(n, S, A) reward 1 in the highest state."""
    rewards = np.zeros((model.agents, model.states, model.actions))
    rewards[:, -1] = 1.0
    return rewards


def front_bound(kappa: Any, discount: float) -> Any:
    """γ^(κ+1) / (1 - γ) for κ hops, one or an array: the most that news from beyond κ can move a shadow Q.

    Source: Qu, Wierman and Li (2020), Lemma 3, for policies that see the own state and rewards between 0 and 1: with
    strictly local moves news travels a hop per step.
    """
    return discount ** (kappa + 1) / (1.0 - discount)


def measure_decay(study: DecayStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Largest s(κ) over the policies, its decline per hop, and its largest ratio to the front bound."""
    model = problems.network(study.world, study.options)
    uniform = own_state_policy(np.full((model.agents, model.states, model.actions), 1.0 / model.actions))
    policies = [uniform] + [random_policy(model, "decay policies", k) for k in range(study.policies)]
    rewards = up_rewards(model)
    found = np.array([exact.sensitivity(model, policy, rewards, study.discount).by_radius for policy in policies])
    largest = found.max(axis=0)[:RADII]
    scores = {f"s{kappa}": value for kappa, value in enumerate(largest)} | {"uniform_s0": found[0, 0]}
    scores["decline"] = (largest[RADII - 2] / largest[0]) ** (1.0 / (RADII - 2))
    scores["front_bound_ratio"] = max(value / front_bound(kappa, study.discount) for kappa, value in enumerate(largest))
    return same_for_all(scores, seeds)


def measure_growth(study: GrowthStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Influence from beyond κ = 3 as a share of that from beyond κ = 0, by closed form."""
    model = problems.network(study.world, study.options | {"n": study.agents})
    uniform = own_state_policy(np.full((model.agents, 2, 2), 0.5))
    found = voter.sensitivity(model, uniform, up_rewards(model), study.discount).by_radius
    scores = {f"s{kappa}": found[kappa] for kappa in range(RADII)} | {"far_share": found[3] / found[0]}
    last = min(12, len(found) - 2)
    scores["decline"] = found[last] / found[last - 1]
    if isinstance(model.rule, LinearRule) and study.options.get("graph", "ring") == "ring":
        alpha = float(study.options.get("alpha", 0.6))
        scores["decline_over_closed_form"] = scores["decline"] / voter.ring_decay_rate(alpha, study.discount)
    return same_for_all(scores, seeds)


def same_for_all(scores: Mapping[str, Any], seeds: tuple[int, ...]) -> Result:
    """What draws nothing has the same scores for every seed."""
    return Result(scores={name: np.full(len(seeds), float(value)) for name, value in scores.items()})


def measure_truncation(study: TruncationStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Relative error of the exact truncated gradient for κ = 0, 1, 2 at one random policy per seed."""
    model = problems.network(study.world, study.options)
    errors = np.empty((len(seeds), 3))
    for row, seed in enumerate(seeds):
        policy = random_policy(model, "truncation policies", seed, 1.0 / study.temperature)
        occupancy = exact.occupancy(model, policy, study.discount)
        chosen = problems.make_utility(study.utility, 1.0, model, study.discount)
        rewards = chosen.shadow_reward(occupancy.values)
        whole = exact.gradient(model, policy, rewards, study.discount)
        for kappa in range(3):
            part = exact.gradient(model, policy, rewards, study.discount, kappa)
            errors[row, kappa] = np.linalg.norm(part - whole) / np.linalg.norm(whole)
    scores = {f"error{kappa}": errors[:, kappa] for kappa in range(3)}
    return Result(scores=scores | {"decline": np.sqrt(errors[:, 2] / errors[:, 0])})


def estimate_error(study: EstimateStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Root mean squared error of single estimates at a random policy, as a share of the exact gradient's norm."""
    settings = study.learner
    problem = problems.voter_problem(study.options, study.utility, 1.0, settings.discount)
    near = reach(problem.model, settings)
    kappa = None if settings.kappa == "diameter" else settings.kappa
    scores = {name: np.empty(len(seeds)) for name in ("rmse", "bias", "samples", "bytes")}
    for row, seed in enumerate(seeds):
        policy = random_policy(problem.model, "estimate policies", seed)
        whole = problem.gradient(policy)
        errors = []
        for repeat in range(study.repeats):
            lanes = keys("estimate trajectories", seed, repeat, count=settings.batch)
            found = estimate_gradient(problem.model, policy, problem.utility, settings, lanes, within=near)
            errors.append(((found.gradient - whole) ** 2).sum())
        norm = np.linalg.norm(whole)
        scores["rmse"][row] = np.sqrt(np.mean(errors)) / norm
        scores["bias"][row] = np.linalg.norm(problem.gradient(policy, kappa) - whole) / norm
        scores["samples"][row], scores["bytes"][row] = found.samples, found.bytes_exchanged
        run.progress((row + 1) / len(seeds))
    return Result(scores=scores)


def critic_error(study: CriticStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Root mean squared error of the table critic along fresh trajectories, as a share of the values' deviation.

    Truth is the truncated shadow Q of enumeration; with everyone within κ it is the shadow Q itself.
    """
    model = problems.network(study.world, study.options)
    settings = TruncatedPGSettings(kappa=study.kappa, discount=study.discount, critic="td", horizon=CRITIC_HORIZON)
    rewards, near = up_rewards(model), reach(model, settings).near
    errors = np.empty(len(seeds))
    for row, seed in enumerate(seeds):
        policy = random_policy(model, "critic policies", seed)
        lanes = keys("critic trajectories", seed, count=max(1, study.samples // CRITIC_HORIZON))
        learn = rollout(model, policy, lanes, CRITIC_HORIZON)
        at = rollout(model, policy, keys("critic checks", seed, count=200), 30)
        truth = exact.truncated_action_values(model, policy, rewards, study.discount, study.kappa)
        wanted = np.stack([
            table[codes(members[None], at.states.reshape(-1, model.agents), 2)[:, 0],
                  codes(members[None], at.actions.reshape(-1, model.agents), 2)[:, 0]]
            for members, table in zip(near, truth, strict=True)
        ], axis=1)  # fmt: skip
        found = td_values(learn, at, rewards, near, settings).q.reshape(wanted.shape)
        errors[row] = np.sqrt(np.mean((found - wanted) ** 2)) / wanted.std()
    return Result(scores={"error": errors})


def shadow_stability(study: ShadowStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Largest shadow reward, and its change per change of the occupancy, where one state is rarely visited."""
    model = problems.network(study.world, study.options)
    shape = (model.agents, model.states, model.actions)
    chosen = utility(study.utility, shape, **shadow_parameters(study))
    shy = own_state_policy(np.tile([study.edge, 1.0 - study.edge], (model.agents, model.states, 1)))
    whole = exact.occupancy(model, shy, SHADOW_DISCOUNT)
    at_truth = chosen.shadow_reward(whole.values)
    scores = {name: np.empty(len(seeds)) for name in ("largest", "stretch", "rarest")}
    for row, seed in enumerate(seeds):
        lanes = rollout(model, shy, keys("shadow trajectories", seed, count=study.batch), SHADOW_HORIZON)
        estimate = empirical_occupancy(lanes, SHADOW_DISCOUNT, model.states, model.actions)
        reward = chosen.shadow_reward(estimate)
        scores["largest"][row] = np.abs(reward).max()
        scores["stretch"][row] = np.linalg.norm(reward - at_truth) / np.linalg.norm(estimate - whole.values)
        scores["rarest"][row] = whole.states().min()
    return Result(scores=scores)


def shadow_parameters(study: ShadowStudy) -> dict[str, Any]:
    """Parameters of the utility under study: the smoothing where it has one, plain targets where it needs them."""
    smooth: dict[str, Any] = {"smoothing": study.smoothing}
    up = np.array([[0.0, 0.0], [1.0, 1.0]])
    parameters: dict[str, dict[str, Any]] = {
        "state_entropy": smooth,
        "imitation": {"target": np.full((2, 2), 0.25), **smooth},
        "fairness": smooth,
        "log_barrier": {"reward": up, "cost": 1.0 - up, "limit": 1.0, **smooth},
        "quadratic_state": {"target": 0.5},
        "transport": {"target": np.array([0.5, 0.5])},
        "risk": {"reward": up},
    }
    return parameters[study.utility]
