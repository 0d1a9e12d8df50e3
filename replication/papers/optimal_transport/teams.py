"""What one run of a learning experiment does: play a scripted controller, or train a team; both are judged alike."""

from typing import Any

import numpy as np

import replication
from replication.algos.nets import Arrays
from replication.algos.team_measures import Played, play_team, policy_diversity, visit_distances
from replication.algos.team_policy import Player, TeamPolicy
from replication.algos.team_training import Judge, TrainedTeam, train_team
from replication.envs.navigation_worlds import parse
from replication.envs.navigators import make_controller, normalised_score, play
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.study_teams import NavigationStudy, ScriptedStudy, TeamStudy
from replication.seeding import keys

GOOD = 0.8  # the level whose first reaching counts as the speed of learning
ANCHORS = ("random", "hungarian_dynamic")  # normalised scores 0 and 1
LOOK_DRAWS = 0  # which random sequence teams draw from at the looks


class Course:
    """Episodes of every seed, and how well the two anchors do on them.

    Attributes:
        world: lanes are (seed, episode). keys: (S * n,) of the episodes; they follow from split and seed only.
        anchors: (S,) mean return of random play, and of the dynamic Hungarian controller: agents go where the cheapest
            assignment to the task's places sends them, all to the one place where they shall meet (A-363).
    """

    def __init__(self, study: NavigationStudy, seeds: tuple[int, ...], split: str, episodes: int) -> None:
        self.seeds = seeds
        self.world = replication.make(study.world, num_envs=len(seeds) * episodes, **study.options)
        self.keys = np.concatenate([keys(f"navigation {split} episodes", seed, count=episodes) for seed in seeds])
        self.anchors = [self.play(make_controller(self.world, name))["return"].mean(axis=1) for name in ANCHORS]

    def play(self, controller: Any) -> Arrays:
        """Name -> (S, n) sums over every episode."""
        sums = play(self.world, controller, self.keys)
        return {name: values.reshape(len(self.seeds), -1) for name, values in sums.items()}

    def score(self, returns: np.ndarray) -> np.ndarray:
        """(S,) normalised scores of returns (S, n)."""
        parts = zip(returns.mean(axis=1), *self.anchors, strict=True)
        return np.array([float(normalised_score(mean, random, oracle)) for mean, random, oracle in parts])

    def outcome(self, sums: Arrays) -> Arrays:
        """Metric -> (S,): score, return per agent, share of places covered at the end, collisions per agent."""
        return {
            "score": self.score(sums["return"]),
            "return": sums["return"].mean(axis=1),
            "coverage": sums["final_coverage"].mean(axis=1),
            "collisions": sums["collisions"].mean(axis=1) / self.world.num_agents,
        }


def exam(study: NavigationStudy, seed: int) -> Course:
    """The test episodes of one seed, the same for every arm with the same world."""
    return Course(study, (seed,), "test", study.test_episodes)


def team_work(study: TeamStudy) -> float:
    """Millions of agent-steps of one seed, the unit of `cost`; larger where a sample is used more often."""
    return millions_of_steps(study) * study.learner.epochs / TeamStudy().learner.epochs


def millions_of_steps(study: TeamStudy, updates: int | None = None) -> float:
    """Agent-steps after `updates` of one seed (all of them by default), in millions."""
    agents = parse(study.world)[1]
    done = study.updates if updates is None else updates
    return done * study.learner.envs * study.learner.segment * agents / 1e6


# ---- scripted controllers ----------------------------------------------------------------------------------------


class Watched:
    """A controller that remembers what the agents saw before each step."""

    def __init__(self, controller: Any) -> None:
        self.controller, self.seen = controller, list[np.ndarray]()

    def reset(self, world: Any) -> None:
        """Begin episodes."""
        self.seen.clear()
        self.controller.reset(world)

    def act(self, world: Any) -> np.ndarray:
        """The controller's actions."""
        self.seen.append(world.observation().copy())
        return self.controller.act(world)

    def played(self) -> Played:
        """What was seen, of one seed, for measures of visits; every episode lasts to the horizon."""
        seen = np.stack(self.seen, axis=1)[None]
        return Played({}, seen, None, np.ones(seen.shape[:3], dtype=bool))


def play_scripted(study: ScriptedStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Drive a scripted controller through every seed's test episodes."""
    rows = []
    for seed in seeds:
        course = exam(study, seed)
        controller = Watched(make_controller(course.world, study.controller))
        rows.append(course.outcome(course.play(controller)) | visit_distances(controller.played()))
    return Result(_joined(rows))


# ---- teams that learn --------------------------------------------------------------------------------------------


def train(study: TeamStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Train the teams of all seeds; judge the last policies on the seeds' test episodes."""
    world = replication.make(study.world, num_envs=len(seeds) * study.learner.envs, **study.options)
    trained = train_team(study.learner, world, seeds, run, updates=study.updates, evaluate=_looking(study, seeds),
                         evaluate_every=max(1, study.updates // study.looks))  # fmt: skip
    scores = _joined([_judged(study, trained, place, seed) for place, seed in enumerate(seeds)])
    scores |= speed(study, trained.curves) | _spent(trained, len(seeds))
    scores |= _changes(trained.curves)
    return Result(scores, trained.curves, {"flat": trained.last.flat}, trained.last.card())


def _looking(study: TeamStudy, seeds: tuple[int, ...]) -> Judge:
    """A function that judges a policy on the validation episodes."""
    course = Course(study, seeds, "validation", study.validation_episodes)

    def look(policy: TeamPolicy) -> Arrays:
        drawn = course.play(Player(policy, LOOK_DRAWS))
        return {"score": course.score(course.play(Player(policy))["return"]),
                "stochastic_score": course.score(drawn["return"])}  # fmt: skip

    return look


def _judged(study: TeamStudy, trained: TrainedTeam, place: int, seed: int) -> Arrays:
    """Metric -> (1,) of one seed: the last policy, acting likeliest and drawing, and its best look."""
    course, policy = exam(study, seed), trained.last.seed(place)
    played = play_team(policy, course.world, course.keys)
    drawn, best = course.play(Player(policy, seed)), course.play(Player(trained.best.seed(place)))
    return (
        course.outcome(played.sums)
        | {"stochastic_score": course.score(drawn["return"]), "best_score": course.score(best["return"])}
        | {"diversity": policy_diversity(policy, played)}
        | visit_distances(played)
    )


def speed(study: TeamStudy, curves: Arrays) -> Arrays:
    """Metric -> (S,) from the looks: area, steps_to_080 and reached_080.

    area is the mean of the validation score over training (trapezoids). The untrained team counts as random play, 0:
    its likeliest actions are an accident of its first weights (A-361). steps_to_080 are the millions of agent-steps at
    the first look with a score of 0.8, or the whole budget where there is none (reached_080 is then 0).
    """
    at, score = curves["_evaluated_at"], curves["evaluated_score"].copy()
    score[:, 0] = 0.0
    area = np.trapezoid(score, at, axis=1) / at[-1]
    good = score >= GOOD
    reached = good.any(axis=1)
    first = np.where(reached, at[good.argmax(axis=1)], at[-1])
    steps = np.array([millions_of_steps(study, int(updates)) for updates in first])
    return {"area": area, "steps_to_080": steps, "reached_080": reached.astype(float)}


def _spent(trained: TrainedTeam, count: int) -> Arrays:
    """Share of update time that alignment took, and seconds of training per seed; equal for seeds side by side."""
    spent = trained.seconds
    share, seconds = spent["alignment"] / spent["update"], spent["training"] / count
    return {"alignment_share": np.full(count, share), "seconds": np.full(count, seconds)}


def _changes(curves: Arrays) -> Arrays:
    """How much potentials differ from those of the refresh before, where there was a second one; failed solutions."""
    found = {}
    if "transport_failures" in curves:
        found["transport_failures"] = curves["transport_failures"].sum(axis=1)
    changed = curves.get("potentials_changed", np.full((1, 1), np.nan))
    if not np.isnan(changed).all(axis=1).any():
        found["potentials_changed"] = np.nanmean(changed, axis=1)
    return found


def _joined(rows: list[Arrays]) -> Arrays:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
