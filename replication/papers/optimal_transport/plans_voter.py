"""Alignment of occupancies as a general utility, exactly: its optimum, what it costs, and how fast it is found.

Nothing is sampled: occupancies, gradients and optima of the voter network have closed forms.
"""

import dataclasses
from functools import lru_cache
from typing import Any

import numpy as np

import replication
from replication.algos.aligned_occupancies import Aligned
from replication.algos.gradient_sources import exact
from replication.algos.truncated_pg import GradientEstimate, TruncatedPGSettings, train
from replication.algos.utilities import Combined, Utility, utility
from replication.envs import voter_exact as voter
from replication.envs.networked_mdp import LocalPolicy, NetworkModel, own_state_policy
from replication.envs.voter_optimum import Optimum
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.plans import same_for_all
from replication.papers.optimal_transport.study_plans import VoterAlignmentStudy, VoterTrainingStudy
from replication.seeding import stream

TARGETS = (0.1, 0.9, 0.5, 0.3, 0.8)  # of the share of time in state 1, given to the agents in turn
LEVELS = (0.1, 0.01)  # shares of the range left at which iterations are counted
SURE = 0.05  # least probability in the policies that training starts from after a change


def model_of(study: VoterAlignmentStudy) -> NetworkModel:
    """A ring of voters that start in state 0."""
    return _ring(study.agents)


@lru_cache(maxsize=4)
def _ring(agents: int) -> NetworkModel:
    return replication.make("network/voter", n=agents).model


def team_utility(study: VoterAlignmentStudy, *, before: bool = False) -> Utility:
    """What the team wants, without alignment; `before` a change the targets are mirrored, 1 less each."""
    shape = (study.agents, 2, 2)
    if study.utility == "targets":
        around = 0.5 + study.spread * (np.resize(TARGETS, study.agents) - 0.5)
        return utility("quadratic_state", shape, target=1.0 - around if before else around)
    if study.utility == "reward":
        return utility("linear", shape, reward=np.array([[0.0, 0.0], [1.0, 1.0]]) * (-1.0 if before else 1.0))
    return utility("state_entropy", shape)


def best(study: VoterAlignmentStudy, chosen: Utility) -> Optimum:
    """Optimum of a utility over all joint policies, and a policy that attains it.

    With alignment the slopes are those of the sum over agents, which is all that the concave programme uses.
    """

    def of_marginal(up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.repeat(np.stack([1.0 - up, up], axis=1)[:, :, None] / 2, 2, axis=2)
        reward = chosen.shadow_reward(values)[:, :, 0]
        return chosen.value(values), reward[:, 1] - reward[:, 0]

    return voter.optimum(model_of(study), study.discount, of_marginal)


def measure_optimum(study: VoterAlignmentStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """What alignment does to the optimum: the team's loss as a share of its range, and how far apart agents are left.

    "loss": team utility given up at the aligned optimum, over the range from never acting to the team's own optimum;
    "apart": mean W_1 over pairs there, "apart_free" without alignment; "short": certificate of both optima.
    """
    team = team_utility(study)
    free, aligned = best(study, team), best(study, Aligned(team, study.beta, study.divergence))
    still = own_state_policy(np.tile([1.0, 0.0], (study.agents, 2, 1)))
    given, floor = (_team_value(study, team, policy) for policy in (aligned.policy, still))
    scores = {
        "loss": (free.value - given) / (free.value - floor),
        "apart": _apart(study, aligned.policy),
        "apart_free": _apart(study, free.policy),
        "short": max(free.gap, aligned.gap),
    }
    return same_for_all(scores, seeds)


def measure_training(study: VoterTrainingStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Exact policy gradient on the aligned objective, judged by the team's own utility.

    "gap_left": share of the range from the start to the team's optimum that is left at the end; "area": its mean over
    the looks; "to_0.1", "to_0.01": iterations until so little is left, one more than there were if never.
    """
    model, team = model_of(study), team_utility(study)
    optimum = best(study, team).value
    start = first_logits(study, seeds)

    def look(policy: LocalPolicy) -> dict[str, float]:
        return {"gap": optimum - _team_value(study, team, policy), "apart": _apart(study, policy)}

    settings = TruncatedPGSettings(discount=study.discount, step_size=study.step_size, update=study.update)
    trained = train(
        model, objective(study, team), settings, seeds, study.iterations,
        gradient_source=shared if study.share else "exact", evaluate=look, evaluate_every=study.evaluate_every,
        start=start, run=run,
    )  # fmt: skip
    gap, apart = trained.curves["evaluated_gap"], trained.curves["evaluated_apart"]
    at, left = trained.curves["_evaluated_at"], gap / gap[:, :1]
    scores = {"gap_left": left[:, -1], "area": left.mean(axis=1), "apart": apart[:, -1]}
    for level in LEVELS:
        done = left <= level
        scores[f"to_{level:g}"] = np.where(done.any(axis=1), at[done.argmax(axis=1)], study.iterations + 1).astype(
            float
        )
    return Result(scores=scores, curves={"left": left, "apart": apart, "_iteration": at})


def shared(
    model: NetworkModel, policy: LocalPolicy, aligned: Utility, settings: TruncatedPGSettings
) -> GradientEstimate:
    """Exact gradient, the same for all agents: its mean over them."""
    found = exact(model, policy, aligned, settings)
    mean = np.broadcast_to(found.gradient.mean(axis=0), found.gradient.shape).copy()
    return dataclasses.replace(found, gradient=mean)


def objective(study: VoterTrainingStudy, team: Utility) -> Utility:
    """The team's utility with alignment to each other, or to the own occupancy at the optimum before the change."""
    if study.align_to == "each other":
        return Aligned(team, study.beta, study.divergence)
    past = best(study, team_utility(study, before=True)).means
    away = utility("transport", (study.agents, 2, 2), target=np.stack([1.0 - past, past], axis=1))
    return Combined((team, away), (1.0, study.beta))


def first_logits(study: VoterTrainingStudy, seeds: tuple[int, ...]) -> np.ndarray:
    """(seeds, n, 2, 2) random logits, on top of those of the optimum before the change if there is one."""
    shape = (study.agents, 2, 2)
    draws = [study.start_spread * stream("alignment starts", seed).normal(size=shape) for seed in seeds]
    base: Any = 0.0
    if study.change:
        sure = best(study, team_utility(study, before=True)).policy.probabilities
        base = np.log(np.clip(sure, SURE, 1.0))
    logits = base + np.stack(draws)
    return np.broadcast_to(logits.mean(axis=1, keepdims=True), logits.shape).copy() if study.share else logits


def _team_value(study: VoterAlignmentStudy, team: Utility, policy: LocalPolicy) -> float:
    return float(team.value(voter.occupancy(model_of(study), policy, study.discount).values).mean())


def _apart(study: VoterAlignmentStudy, policy: LocalPolicy) -> float:
    up = voter.means(model_of(study), policy, study.discount)
    return float(np.abs(np.subtract.outer(up, up)).sum() / (study.agents * (study.agents - 1)))
