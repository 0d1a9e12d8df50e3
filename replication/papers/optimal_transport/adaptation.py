"""A trained team meets a sudden change: how much is lost, how long it takes to make it up, what a response is worth.

On-policy learners keep no replay and compute advantages anew for every segment: the responses act on the learning
rate, the optimiser's moments or the alignment, and there is no buffer to flush (A-381).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from replication.algos.team_policy import TeamPolicy
from replication.algos.team_settings import TeamSettings
from replication.algos.team_training import TeamLoop
from replication.envs.navigators import play
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.adaptation_changes import Change, Played, world_of
from replication.papers.optimal_transport.adaptation_distances import Gauge, rate_factor
from replication.papers.optimal_transport.grown_teams import Watch, grown
from replication.papers.optimal_transport.plans_detection import PARTNER
from replication.papers.optimal_transport.study_adaptation import AdaptationStudy
from replication.papers.optimal_transport.teams import Course

OTHER_TEAM = 100_000  # added to a seed: the seed of the independently trained team its new partner is from
NEVER = 10**9  # updates between renewals of a barycenter that is not renewed
MADE_UP = 0.9  # share of the drop that counts as recovered


def measure_adaptation(study: AdaptationStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Let every seed's team meet the change and respond to it.

    Scores, all normalised in the world before the change (random 0, dynamic Hungarian 1), likeliest actions:
        before, after, final: on the test episodes before the change, right after it, and at the end.
        drop: before - after; 0 for a drift, which has no moment of change.
        regret: mean over the time after the change of what is missing to the score before, on validation episodes.
        recovered_after: updates until a look makes up 90 % of the drop, the whole time if none does; recovered: 1 or 0.
        rate_factor: mean factor on the learning rate.
    Curves: evaluated_score (S, looks) at `_evaluated_at` updates after the change, learning_rate, distance and reward
    (S, updates).
    """
    torch.set_num_threads(1)
    found: list[dict] = (run.restore() or {"found": []})["found"]
    for place in range(len(found), len(seeds)):

        def tell(share: float, done: int = place) -> None:
            run.progress((done + share) / len(seeds))

        found.append(adapt(study, seeds[place], tell))
        run.log(place, **found[-1]["scores"])
        run.checkpoint(place + 1, lambda: {"found": found})
    scores = {name: np.array([one["scores"][name] for one in found]) for name in found[0]["scores"]}
    curves = {name: np.stack([one["curves"][name] for one in found]) for name in found[0]["curves"]}
    shared = {"_evaluated_at": looks_at(study), "_steps": steps_at(study)}
    return Result(scores=scores, curves=curves | shared)


def looks_at(study: AdaptationStudy) -> np.ndarray:
    """Updates after the change at which the team is looked at; the first look is right after the change."""
    return np.arange(0, study.adaptation + 1, study.look_every)


def steps_at(study: AdaptationStudy) -> np.ndarray:
    """Environment steps of one seed after each update since the change."""
    return study.learner.envs * study.learner.segment * np.arange(1, study.adaptation + 1)


def adapt(study: AdaptationStudy, seed: int, tell: Callable[[float], None]) -> dict[str, dict]:
    """Scores and curves of one seed, see `measure_adaptation`."""
    loop, change, gauge, watch = changed_team(study, seed)
    test = Judge(study, seed, "test", study.test_episodes)
    validation = Judge(study, seed, "validation", study.validation_episodes)
    policy = loop.learner.policy
    own = policy().copy()
    own.flat[PARTNER] = change.before
    scores = {"before": test.score(own, None), "after": test.score(policy(), change)}
    looks, factors, rates, distances = [validation.score(policy(), change)], [], [], []
    for update in range(study.adaptation):
        distances.append(gauge.read())
        factors.append(rate_factor(study, distances[-1], update))
        rates.append(loop.learning_rate() * factors[-1])
        change.move((update + 1) / study.adaptation)
        loop.advance(rates[-1])
        watch.keep(seed, loop.done, float(loop.rows["reward"][-1][0]))
        gauge.add(watch)
        if (update + 1) % study.look_every == 0:
            looks.append(validation.score(policy(), change))
            tell((update + 1) / study.adaptation)
    scores |= {"final": test.score(policy(), change), "drop": scores["before"] - scores["after"]}
    scores |= worth(validation.score(own, None), np.array(looks), looks_at(study))
    scores["rate_factor"] = float(np.mean(factors))
    curves = {"evaluated_score": looks, "learning_rate": rates, "distance": distances,
              "reward": watch.rows["reward"]}  # fmt: skip
    return {"scores": scores, "curves": {name: np.array(values) for name, values in curves.items()}}


def worth(before: float, looks: np.ndarray, at: np.ndarray) -> dict[str, float]:
    """Regret, time of recovery and whether there was one.

    Args:
        before: score before the change. looks: (L,) scores after `at` (L,) updates since, the first right after it.
    """
    regret = float(np.trapezoid(before - looks, at) / at[-1])
    made_up = looks >= before - (1.0 - MADE_UP) * max(before - looks[0], 0.0)
    after = at[made_up.argmax()] if made_up.any() else at[-1]
    return {"regret": regret, "recovered_after": float(after), "recovered": float(made_up.any())}


def changed_team(study: AdaptationStudy, seed: int) -> tuple[TeamLoop, Change, Gauge, Watch]:
    """The team at its plateau, to which the change has just happened, with the response's one-time part done."""
    team, learner = grown(study, seed), responding(study)
    loop = TeamLoop(learner, world_of(study, learner.envs, changed=True), (seed,), study.updates)
    loop.restore(team.state)
    if study.response == "reset optimiser":
        for net in (loop.learner.actor, *loop.learner.critics.values()):
            net.first.zero_(), net.second.zero_()
            net.steps = 0
    other = misfit(study, seed, loop.learner.policy()) if study.change in ("partner", "drift") else None
    change = Change(study, loop, other)
    loop.collector.interfere = watch = Watch(change.taken)
    return loop, change, Gauge(study, team.seen), watch


def misfit(study: AdaptationStudy, seed: int, policy: TeamPolicy) -> np.ndarray:
    """(P,) weights of the member of the other team with which, in agent 0's place, the team scores least.

    Members of a team have different roles, so that one of them may do just what agent 0 did (A-385).
    """
    judge = Judge(study, seed, "partner", study.validation_episodes)
    other, scores = grown(study, seed + OTHER_TEAM), []
    for member in range(policy.layout.agents):
        mixed = policy.copy()
        mixed.flat[PARTNER] = other.actor(member)
        scores.append(judge.score(mixed, None))
    return other.actor(int(np.argmin(scores)))


def responding(study: AdaptationStudy) -> TeamSettings:
    """Settings of the learner after the change."""
    changes: dict[str, dict[str, Any]] = {
        "aligned to the past": {"alignment__every": NEVER},
        "aligned no more": {"alignment__beta": 0.0},
    }
    return study.learner.but(**changes.get(study.response, {}))


class Judge:
    """Scores of greedy teams on one seed's own episodes; the scale is that of the world before the change."""

    def __init__(self, study: AdaptationStudy, seed: int, split: str, episodes: int) -> None:
        self.course = Course(study, (seed,), split, episodes)
        self.changed = world_of(study, episodes, changed=True)

    def score(self, policy: TeamPolicy, change: Change | None) -> float:
        """Normalised score; without a change in the world as it was."""
        world = self.course.world if change is None else self.changed
        controller: Any = Played(policy, change)
        returns = play(world, controller, self.course.keys)["return"]
        return float(self.course.score(returns[None])[0])
