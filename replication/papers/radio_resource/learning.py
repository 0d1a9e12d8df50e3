"""What one run does: play a scheduler, learn online, learn offline, or judge the policy that data come from."""

from collections.abc import Callable
from typing import Any

import numpy as np

from replication.algos.cql_settings import CQLSettings
from replication.algos.offline_training import TrainedOffline, train_offline
from replication.algos.online_training import TrainedOnline, train_online
from replication.envs.schedulers import make_controller
from replication.orchestration.plan import Result, Run
from replication.papers.radio_resource import datasets
from replication.papers.radio_resource.evaluation import Driver, judge, layout_world
from replication.papers.radio_resource.study import (
    BehaviourStudy,
    LearnerStudy,
    OfflineStudy,
    OnlineStudy,
    SchedulerStudy,
    TransferStudy,
)
from replication.seeding import stream

LOOKED_AT = ("score", "sum_rate", "tail_rate", "reward")


def play_scheduler(study: SchedulerStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Drive a scheduler through every seed's test layouts."""
    world = layout_world(study.world, study.environment, seeds, study.test_layouts)
    scheduler = make_controller(world, study.scheduler, **study.options)
    outcome = judge(world, scheduler, seeds, "test", by_rank=study.by_rank)
    return Result(outcome.scores(), outcome.curves())


def judge_behaviour(study: BehaviourStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """The behaviour policy on the test layouts, exploring as it did while its data were collected."""
    world = layout_world(study.world, study.environment, seeds, study.test_layouts)
    outcome = judge(world, datasets.behaviour(_dataset(study), seeds), seeds, "test")
    return Result(outcome.scores(), outcome.curves())


def learn_online(study: OnlineStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Learn by acting; judge the last policy and each seed's best on its test layouts."""
    world = layout_world(study.world, study.environment, seeds, study.learner.envs)
    trained = train_online(study.learner, world, seeds, run, steps=study.steps, evaluate=_looking(study, seeds),
                           evaluate_every=max(1, study.steps // study.looks))  # fmt: skip
    return _result(study, study.learner.learner, trained, trained.best_step, seeds)


def learn_offline(study: OfflineStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Learn from a dataset; judge the last policy and each seed's best on its test layouts."""
    trained = _trained_offline(study, seeds, run)
    result = _result(study, study.learner, trained, trained.best_update, seeds)
    if study.sampled:
        world = layout_world(study.world, study.environment, seeds, study.test_layouts)
        result.scores.update(judge(world, Driver(trained.last, seeds, True), seeds, "test").scores("sampled_"))
    return result


def transfer(study: TransferStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Learn offline, then judge the last policy in other networks, too; "name: metric" is a score elsewhere."""
    trained = _trained_offline(study, seeds, run)
    result = _result(study, study.learner, trained, trained.best_update, seeds)
    for name, values in study.elsewhere.items():
        changed = {key: value for key, value in values.items() if key != "world"}
        there, environment = values.get("world", study.world), study.environment.but(**changed)
        world = layout_world(there, environment, seeds, study.test_layouts)
        result.scores.update(judge(world, Driver(trained.last, seeds), seeds, "test").scores(f"{name}: "))
    return result


def _trained_offline(study: OfflineStudy, seeds: tuple[int, ...], run: Run) -> TrainedOffline:
    """Every seed learns from episodes of its own choice, as many as `size` asks for."""
    data = datasets.dataset(_dataset(study))
    count = study.size // data.horizon
    episodes = [stream("episodes to learn from", seed).permutation(data.episodes)[:count] for seed in seeds]
    every = max(1, study.updates // study.looks)
    return train_offline(study.learner, data, seeds, run, updates=study.updates, episodes=np.stack(episodes),
                         evaluate=_looking(study, seeds), evaluate_every=every)  # fmt: skip


def _dataset(study: OfflineStudy | BehaviourStudy) -> datasets.DatasetSettings:
    return datasets.DatasetSettings(
        tier=study.tier, size=study.pool, world=study.world, environment=study.environment, seed=study.data_seed
    )


def _looking(study: LearnerStudy, seeds: tuple[int, ...]) -> Callable[[Any], dict[str, np.ndarray]]:
    """A function that judges a policy on the validation layouts."""
    world = layout_world(study.world, study.environment, seeds, study.validation_layouts)

    def look(policy: Any) -> dict[str, np.ndarray]:
        scores = judge(world, Driver(policy, seeds), seeds, "validation").scores()
        return {name: scores[name] for name in LOOKED_AT}

    return look


def _result(
    study: LearnerStudy, learner: CQLSettings, trained: TrainedOffline | TrainedOnline, best_at: np.ndarray,
    seeds: tuple[int, ...],
) -> Result:  # fmt: skip
    world, curves = layout_world(study.world, study.environment, seeds, study.test_layouts), trained.curves
    last = judge(world, Driver(trained.last, seeds), seeds, "test")
    best = judge(world, Driver(trained.best, seeds), seeds, "test")
    scores = last.scores() | best.scores("best_") | {"best_at": best_at.astype(float)}
    scores |= {f"validation_{name}": curves[f"evaluated_{name}"][:, -1] for name in LOOKED_AT}
    scores |= {name: curves[name][:, -1] for name in ("mean_q", "conservative") if name in curves}
    if "mean_q" in scores:  # against the discounted sum of what the policy is paid
        scores["overestimation"] = scores["mean_q"] - scores["reward"] / (1.0 - learner.discount)
    return Result(scores, curves | last.curves(), trained.last.arrays(), trained.last.card())
