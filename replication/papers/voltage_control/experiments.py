"""Experiments of the voltage-control paper: arms, seeds and what one run does.

Primary contrasts (20 seeds): the importance ratio, what the reward asks for, and the comparison of learners and
controllers on 33 buses. Other comparisons have 10 seeds, sweeps 5.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import replication
from replication.algos.training import train
from replication.orchestration.plan import Experiment, Result, Run
from replication.papers.voltage_control import arms
from replication.papers.voltage_control.evaluation import day_world, evaluate
from replication.papers.voltage_control.study import ControllerStudy, LearnerStudy
from replication.settings import Profile

PAPER = "voltage_control"
BUNDLE = "replication/data/bundle/"
SWEEP, COMPARISON, PRIMARY = 5, 10, 20


def train_and_test(study: LearnerStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Train; choose each seed's checkpoint by mean reward on validation days; judge it and the last on test days."""
    world = replication.make(study.world, num_envs=len(seeds) * study.learner.envs, **study.environment.plain())
    held_out, windows = day_world(study.world, study.environment, "validation", study.validation_days, len(seeds))

    def judge(policy: Any) -> dict[str, np.ndarray]:
        policy.reset()
        outcome = evaluate(held_out, windows, _acting(policy), len(seeds), detail=False)
        kept = ("reward", "controllable", "line_loss_mw", "mean_abs_q_mvar", "mean_action")
        means = outcome.scores()
        return {"score": means["reward"]} | {name: means[name] for name in kept}

    trained = train(study.learner, world, seeds, run, updates=study.updates, evaluate=judge,
                        evaluate_every=study.evaluate_every)  # fmt: skip
    tested, windows_of_test = day_world(study.world, study.environment, "test", study.test_days, len(seeds))
    best = evaluate(tested, windows_of_test, _acting(trained.best), len(seeds))
    last = evaluate(tested, windows_of_test, _acting(trained.last), len(seeds), detail=False)
    return Result(
        scores=best.scores() | last.scores("last_"),
        curves=_learning(trained.curves, study) | best.curves(),
        policy=trained.best.arrays(),
        policy_card=trained.best.card(),
    )


def judge_controller(study: ControllerStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Drive a scripted controller through the test days; it does not train, so its last scores are its scores."""
    world, windows = day_world(study.world, study.environment, study.split, study.test_days)
    controller = replication.controller(world, study.controller)
    outcome = evaluate(world, windows, controller.act)
    return Result(scores=outcome.scores() | outcome.scores("last_"), curves=outcome.curves())


def _learning(curves: dict[str, np.ndarray], study: LearnerStudy) -> dict[str, np.ndarray]:
    """What is kept of training: every look at the validation days, and every fifth update of three numbers."""
    per_update = study.learner.envs * study.learner.segment
    looks = {name: values for name, values in curves.items() if name.startswith("evaluated_")}
    thinned = {name: curves[name][:, ::5] for name in ("reward", "std", "mean_tanh_action")}
    return looks | thinned | {"_evaluated_steps": curves["_evaluated_at"] * per_update, "_steps": curves["_steps"][::5]}


def _acting(policy: Any) -> Callable[[Any], np.ndarray]:
    policy.reset()
    return lambda world: policy.act(world.observation(), world.state())


def _seeds(full: int, quick: int = 2) -> Callable[[Profile], tuple[int, ...]]:
    return lambda profile: tuple(range({"smoke": 1, "quick": quick, "full": full}[profile]))


def _work(study: LearnerStudy) -> float:
    """Millions of agent steps, the unit of `cost`."""
    agents = {"case33": 6, "case141": 22, "case322": 38}.get(study.world.partition("/")[2], 10)
    return study.updates * study.learner.envs * study.learner.segment * study.learner.epochs * agents / 1e6


def _training(name: str, version: int, arms_of: Callable, seeds: Callable, *feeders: str) -> Experiment:
    files = ("profiles-2016.npz", "held-out-days.csv", *(f"{feeder}.json" for feeder in feeders or ("case33",)))
    needs = tuple(BUNDLE + file for file in files)
    return Experiment(PAPER, name, version, LearnerStudy, arms_of, seeds, train_and_test, cost=_work, needs=needs)


def _scripted(name: str, version: int, arms_of: Callable, feeder: str = "case33") -> Experiment:
    needs = tuple(BUNDLE + file for file in ("profiles-2016.npz", "held-out-days.csv", f"{feeder}.json"))
    return Experiment(
        PAPER, name, version, ControllerStudy, arms_of, lambda profile: (0,), judge_controller, needs=needs
    )


EXPERIMENTS = (
    _scripted("controllers_33", 1, arms.controller_arms("voltage/case33")),
    _scripted("published_33", 1, arms.published_arms),
    _scripted("reward_optimum", 1, arms.reward_optimum_arms),
    _scripted("calibration", 1, arms.calibration_arms),
    _scripted("assignment", 1, arms.assignment_arms),
    _training("paradigms_33", 1, arms.learner_arms_33, _seeds(PRIMARY)),
    _training("ratio", 1, arms.ratio_arms, _seeds(PRIMARY)),
    _training("ratio_at_draw", 1, arms.ratio_at_draw_arms, _seeds(PRIMARY)),
    _training("reward", 1, arms.reward_arms, _seeds(SWEEP)),
    _training("discount", 1, arms.discount_arms, _seeds(COMPARISON)),
    _training("loss_reward", 1, arms.loss_arms, _seeds(COMPARISON)),
    _training("defects", 1, arms.defect_arms, _seeds(SWEEP)),
    _training("barriers", 1, arms.barrier_arms, _seeds(SWEEP)),
    _scripted("controllers_141", 1, arms.controller_arms("voltage/case141"), "case141"),
    _scripted("controllers_322", 1, arms.controller_arms("voltage/case322"), "case322"),
    _scripted("stress_33", 1, arms.controller_arms("voltage/case33", load_scale=1.87)),
    _training("paradigms_141", 1, arms.paradigm_arms("voltage/case141", updates=250), _seeds(COMPARISON), "case141"),
)
