"""Training teams: they learn, seeds keep apart, runs resume bitwise, policies travel, bad input is one line."""

import numpy as np
import pytest
from oracles.team_worlds import Levels, Signals
from refusals import refused
from toy_worlds import Interrupted, KeptRun, NoRun

import replication
from replication import seeding
from replication.algos.alignment_settings import AlignmentSettings
from replication.algos.team_policy import Player, load_team, save_team
from replication.algos.team_settings import ARMS, TeamSettings, arm
from replication.algos.team_training import TeamLoop, train_team
from replication.envs.navigators import play
from replication.settings import BadInput

SMALL = {"envs": 4, "segment": 8, "hidden": (16, 16), "minibatches": 2}
VISITS = {"features": (4, 5), "visits": 16}


def aligned(kind, **changes):
    return TeamSettings(**SMALL, alignment=AlignmentSettings(kind=kind, **changes))


VARIANTS = {
    "independent": TeamSettings(**SMALL),
    "shared": TeamSettings(**SMALL, nets="shared", shared_reward=True, time_limit="truncation"),
    "with numbers": TeamSettings(**SMALL, nets="shared_id", critic_sees="state", assignment=True),
    "quantiles": TeamSettings(**SMALL, critic="quantile", quantiles=4),
    "action-level": aligned("ot_action", metric="equal", every=4, placebo="shuffled"),
    "random": aligned("tv", placebo="random"),
    "visits": aligned("ot_barycenter", every=4, **VISITS),
    "shuffled visits": aligned("ot_barycenter", every=4, placebo="shuffled", fade=True, **VISITS),
    "episodes": aligned("ot_episode", placebo="random", **VISITS),
    "averaging": aligned("parameter_average", every=2),
    "shaping": aligned("ot_potential"),
}


def hits(policy, world, draws=None):
    keys = np.tile(np.arange(16, dtype=np.uint64), policy.num_seeds)
    sums = play(world(16 * policy.num_seeds), Player(policy, draws), keys)
    return sums["hits"].reshape(policy.num_seeds, -1).mean(axis=1) / 4


@pytest.mark.parametrize("nets", ["independent", "shared", "shared_id"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_every_layout_learns_to_name_what_it_sees(nets, activation):
    settings = TeamSettings(envs=16, segment=8, hidden=(16, 16), nets=nets, activation=activation, learning_rate=5e-3)
    trained = train_team(settings, Signals(2 * 16), (0, 1), NoRun(), updates=30)
    assert np.all(hits(trained.last, Signals) > 0.9)  # a guess hits 1 in 3
    assert np.all(hits(trained.last, Signals, draws=3) > 0.6)


@pytest.mark.parametrize("nets", ["independent", "shared_id"])
def test_continuous_actions_are_learned(nets):
    settings = TeamSettings(envs=16, segment=8, hidden=(16, 16), nets=nets, learning_rate=5e-3, gamma=0.0)
    trained = train_team(settings, Levels(2 * 16), (0, 1), NoRun(), updates=60)
    assert np.all(hits(trained.last, Levels) > -0.1)  # doing nothing misses by 0.25
    assert np.all(trained.last.log_std() < np.log(0.6))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_learns_the_same_alone_and_in_company(name):
    together = train_team(VARIANTS[name], Signals(3 * 4), (4, 7, 9), NoRun(), updates=4)
    alone = train_team(VARIANTS[name], Signals(4), (7,), NoRun(), updates=4)
    assert np.allclose(together.last.seed(1).flat, alone.last.flat, atol=1e-5)
    assert not np.allclose(together.last.seed(0).flat, alone.last.flat, atol=1e-2)
    for curve in (name for name in alone.curves if not name.startswith("_")):
        assert np.allclose(together.curves[curve][1], alone.curves[curve][0], atol=1e-4, equal_nan=True), curve


@pytest.mark.parametrize("name", VARIANTS)
def test_an_interrupted_run_resumes_bitwise(name):
    def judge(policy):
        return {"score": -np.abs(policy.flat).reshape(2, -1).sum(axis=1)}

    def finish(run):
        return train_team(VARIANTS[name], Signals(2 * 4), (0, 1), run, updates=6, evaluate=judge, evaluate_every=2)

    straight = finish(NoRun())
    broken = KeptRun(stop_after=3)
    with pytest.raises(Interrupted):
        finish(broken)
    broken.stop_after = None
    resumed = finish(broken)
    assert [step for step, _ in broken.logged] == [2, 4, 6]
    assert straight.curves.keys() == resumed.curves.keys()
    for curve, values in straight.curves.items():
        assert np.array_equal(values, resumed.curves[curve], equal_nan=True), curve
    for one, other in ((straight.last, resumed.last), (straight.best, resumed.best)):
        assert np.array_equal(one.flat, other.flat)


def test_each_seed_keeps_its_own_best_policy():
    seen = []

    def judge(policy):
        seen.append(policy)
        return {"score": np.array([[9.0, 9.0], [1.0, 5.0], [2.0, 4.0], [0.0, 6.0]][len(seen) - 1])}

    settings = VARIANTS["independent"]
    trained = train_team(settings, Signals(2 * 4), (0, 1), NoRun(), updates=3, evaluate=judge, evaluate_every=1)
    assert trained.best_update.tolist() == [2, 3]  # the untrained policy's 9 does not count
    assert np.array_equal(trained.best.seed(0).flat, seen[2].seed(0).flat)
    assert np.array_equal(trained.best.seed(1).flat, seen[3].seed(1).flat)
    assert trained.curves["_steps"].tolist() == [32, 64, 96]
    assert trained.curves["_evaluated_at"].tolist() == [0, 1, 2, 3]
    assert 0 <= trained.seconds["alignment"] <= trained.seconds["update"] <= trained.seconds["training"]


def test_frozen_agents_stay_and_interference_changes_what_is_done():
    loop = TeamLoop(VARIANTS["independent"], Signals(2 * 4), (0, 1), updates=2)
    loop.learner.frozen = (1,)
    before = loop.learner.policy().copy().flat.reshape(2, 3, -1)
    met = []

    def others(world, actions):
        met.append(actions.copy())
        changed = actions.copy()
        changed[:, 2] = world.shown[:, 2, None]
        return changed

    loop.collector.interfere = others
    loop.advance(learning_rate=1e-2)
    after = loop.learner.policy().flat.reshape(2, 3, -1)
    assert np.array_equal(before[:, 1], after[:, 1])
    assert np.abs(before - after).max(axis=2)[:, [0, 2]].min() > 1e-3
    segment = loop.collector.collect(loop.learner.policy(), 1)
    assert np.all(segment.reward[..., 2] == 1.0)
    assert not np.all(segment.reward[..., :2] == 1.0)
    assert len(met) == 16


def test_a_team_travels_through_files(tmp_path):
    trained = train_team(VARIANTS["with numbers"], Signals(2 * 4), (0, 1), NoRun(), updates=1)
    save_team(tmp_path / "team", trained.last)
    again = load_team(tmp_path / "team")
    world = Signals(6)
    world.reset(np.arange(6, dtype=np.uint64))
    assert np.array_equal(again.act(world), trained.last.act(world))
    assert again.card() == trained.last.card()
    assert np.allclose(again.probabilities(again.look(world)).sum(axis=-1), 1.0)
    with pytest.raises(BadInput, match="no policy file"):
        load_team(tmp_path / "other")
    with pytest.raises(BadInput, match="multiple of 2"):
        again.act(Signals(3))


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_trains_in_navigation(name):
    settings = arm(name, envs=2, hidden=(8, 8), alignment__visits=20, alignment__probes=8)
    world = replication.make("navigation/spread2", num_envs=2)
    trained = train_team(settings, world, (0,), NoRun(), updates=2)
    assert np.isfinite(trained.last.flat).all()
    other = replication.make("navigation/spread2", num_envs=4)
    sums = play(other, Player(trained.last), seeding.keys("t", count=4))
    assert sums["return"].shape == (4,)


@pytest.mark.parametrize("name", ["A0", "A1", "A2", "A4", "A8", "A10"])
def test_arms_of_continuous_actions_train_in_navigation(name):
    settings = arm(name, envs=2, hidden=(8, 8), alignment__visits=20, alignment__probes=8)
    for actions in ("continuous", "force"):
        world = replication.make("navigation/spread2", num_envs=2, actions=actions)
        assert np.isfinite(train_team(settings, world, (0,), NoRun(), updates=2).last.flat).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: arm("A13"), "unknown arm 'A13'"),
        (lambda: arm("A0", nets="one"), "nets"),
        (lambda: arm("A9", alignment__beta=0.1), "kind 'diversity' needs beta < 0"),
        (lambda: arm("A1", alignment__beta=-0.1), "beta must be >= 0 unless kind is 'diversity'"),
        (lambda: arm("A6", alignment__beta=1.5), "share of the way"),
        (lambda: arm("A1", alignment__kind="otaction"), "kind"),
        (lambda: arm("A1", nets="shared"), "equal already"),
        (lambda: arm("A6", nets="shared_id"), "independent"),
        (lambda: arm("A10", alignment__placebo="random"), "placebo"),
        (lambda: arm("A3", alignment__every=5), "every=1"),
        (lambda: arm("A1", alignment__wanted=0.5), "wanted"),
        (lambda: arm("A3", alignment__target="pool"), "barycenter"),
        (lambda: arm("A2", alignment__transport={"method": "exact"}), "sliced"),
        (lambda: arm("A2", alignment__transport={"power": 1}), "power 2"),
        (lambda: arm("A2", alignment__features=()), "at least one column"),
        (lambda: arm("A0", minibatches=10_000), "minibatches"),
        (lambda: arm("A0", hidden=(0, 4)), "at least one unit"),
    ],
)
def test_bad_settings_are_one_line(make, match):
    with refused(match):
        make()


def test_settings_that_do_not_fit_the_world_are_one_line():
    def loop(settings, world):
        return TeamLoop(settings, world, (0,), updates=1)

    spread = replication.make("navigation/spread2", num_envs=4)
    with pytest.raises(BadInput, match="num_envs=4"):
        loop(VARIANTS["independent"], Signals(5))
    with pytest.raises(BadInput, match="at least 2 agents, got 1"):
        loop(VARIANTS["action-level"], Signals(4, num_agents=1))
    with pytest.raises(BadInput, match="5 moves, got 4"):
        loop(aligned("ot_action"), Signals(4))
    with pytest.raises(BadInput, match="no closed form"):
        loop(aligned("tv"), Levels(4))
    with pytest.raises(BadInput, match="columns 0 to"):
        loop(aligned("ot_barycenter", features=(99,)), spread)
    with pytest.raises(BadInput, match="multiple of 25"):
        loop(aligned("ot_episode"), spread).advance()
    del_targets = type("NoTargets", (), dict(vars(Signals)) | {"targets": property()})
    with pytest.raises(BadInput, match="targets"):
        loop(aligned("ot_potential"), del_targets(4))
