"""Experiments of the radio paper: arms, seeds and what one run does.

Primary contrasts (20 seeds) are the three paradigms on the same data, CTDE without conservatism, and CTDE on other
data. Other comparisons have 10 seeds, sweeps 5. Datasets are collected when a run first needs them.
"""

from collections.abc import Callable
from typing import Any

from replication.orchestration.plan import Experiment
from replication.papers.radio_resource import arms, learning
from replication.papers.radio_resource.complexity import measure_complexity
from replication.papers.radio_resource.study import (
    BehaviourStudy,
    ComplexityStudy,
    OfflineStudy,
    OnlineStudy,
    SchedulerStudy,
    TransferStudy,
)
from replication.settings import Profile

PAPER = "radio_resource"
FIXED, SWEEP, COMPARISON, PRIMARY = 1, 5, 10, 20
BACKBONES = {"dqn": 1.0, "bc": 0.7, "sac": 2.5, "iql": 2.5}  # work of an update of one seed


def _seeds(full: int, quick: int = 2) -> Callable[[Profile], tuple[int, ...]]:
    return lambda profile: tuple(range({"smoke": 1, "quick": min(quick, full), "full": full}[profile]))


def _learning_work(study: OfflineStudy) -> float:
    """Thousands of updates with the default network of a double-DQN learner, the unit of `cost`."""
    learner = study.learner
    width = max(learner.hidden) / 64
    return study.updates * BACKBONES[learner.backbone] * width**2 * learner.batch_size / 128 / 1e3


def _online_work(study: OnlineStudy) -> float:
    return study.steps * BACKBONES[study.learner.learner.backbone] * 3 / 1e3


def _one(name: str, study: type, arms_of: Callable, seeds: int, function: Callable, cost: Any = None) -> Experiment:
    return Experiment(PAPER, name, 1, study, arms_of, _seeds(seeds), function, cost=cost)


def _offline(name: str, arms_of: Callable, seeds: int) -> Experiment:
    return _one(name, OfflineStudy, arms_of, seeds, learning.learn_offline, _learning_work)


EXPERIMENTS = (
    _one("schedulers", SchedulerStudy, arms.scheduler_arms, PRIMARY, learning.play_scheduler),
    _offline("paradigms", arms.paradigm_arms, PRIMARY),
    _one("complexity", ComplexityStudy, arms.complexity_arms, FIXED, measure_complexity),
    _offline("sizes", arms.size_arms, SWEEP),
    _offline("alpha", arms.alpha_arms, SWEEP),
    _offline("fairness", arms.fairness_arms, SWEEP),
    _offline("learners", arms.learner_arms, COMPARISON),
    _one("online", OnlineStudy, arms.online_arms, COMPARISON, learning.learn_online, _online_work),
    _one("behaviour", BehaviourStudy, arms.behaviour_arms, COMPARISON, learning.judge_behaviour),
    _offline("gap", arms.gap_arms, SWEEP),
    _one("lambda_oracle", SchedulerStudy, arms.oracle_arms, SWEEP, learning.play_scheduler),
    _one("elsewhere", SchedulerStudy, arms.elsewhere_scheduler_arms, SWEEP, learning.play_scheduler),
    _offline("coupling", arms.coupling_arms, SWEEP),
    _one("transfer", TransferStudy, arms.transfer_arms, SWEEP, learning.transfer, _learning_work),
    _offline("fixed_layout", arms.fixed_layout_arms, SWEEP),
    _offline("quality_size", arms.quality_size_arms, SWEEP),
    _offline("updates", arms.update_arms, SWEEP),
    _offline("sources", arms.source_arms, SWEEP),
    _offline("wide", arms.wide_arms, SWEEP),
)
