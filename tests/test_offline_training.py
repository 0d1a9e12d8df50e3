"""Training on logged episodes: it learns, bootstraps through time limits, keeps seeds apart, resumes bitwise."""

from dataclasses import replace

import numpy as np
import pytest
from toy_offline import PAYOFF, coordination, random_data
from toy_worlds import Interrupted, KeptRun, NoRun

from replication.algos import offline_training
from replication.algos.cql_settings import CQLSettings
from replication.algos.discrete_policy import load_discrete_policy, save_discrete_policy
from replication.algos.offline_training import DRAWN_TOGETHER, Minibatches, fit_to_data, train_offline
from replication.data import offline
from replication.data.offline import OfflineData
from replication.settings import BadInput

SMALL = {"hidden": (8, 6), "batch_size": 16}


def payoff(policy) -> float:
    """Mean payment of greedy actions over all nine pairs of shown numbers, lane by lane valid; best possible 1."""
    shown = np.array([(i, j) for i in range(3) for j in range(3)])
    seen = np.concatenate([np.eye(3)[shown], np.zeros((9, 2, 1))], axis=-1)
    mask = np.ones((9, 2, 3), bool)
    mask[..., 1] = shown != 2
    action = policy.act(seen.astype(np.float32), mask)
    assert np.take_along_axis(mask, action, axis=2).all()
    meaning = (action[..., 0] - shown) % 3
    return PAYOFF[meaning[:, 0], meaning[:, 1]].mean()


def test_data_from_a_folder_are_learned_from_in_a_few_lines(tmp_path):
    offline.write(tmp_path / "my-data", coordination(np.random.default_rng(0)))
    data = offline.load(tmp_path / "my-data")
    settings = CQLSettings(backbone="dqn", hidden=(32, 32), learning_rate=3e-3, conservatism=0.05)
    trained = train_offline(settings, data, (0,), offline_training.NoRun(), updates=500)
    save_discrete_policy(tmp_path / "my-policy", trained.last)
    assert payoff(load_discrete_policy(tmp_path / "my-policy")) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "dqn"},
        {"backbone": "dqn", "share_weights": True},
        {"backbone": "dqn", "paradigm": "centralised"},
        {"backbone": "sac"},
        {"backbone": "sac", "paradigm": "centralised", "temperature": 0.1},
        {"backbone": "iql"},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_the_best_joint_action_is_found_in_random_data(changes):
    rng = np.random.default_rng(0)
    usual = {"hidden": (32, 32), "batch_size": 128, "learning_rate": 3e-3, "discount": 0.5, "conservatism": 0.05}
    usual["advantage_temperature"] = 20.0
    data = coordination(rng)
    trained = train_offline(CQLSettings(**usual | changes), data, (0,), NoRun(), updates=500)
    assert payoff(trained.last) == pytest.approx(1.0)
    assert data.reward.mean() < 0.35


@pytest.mark.parametrize("paradigm", ["ctde", "centralised"])
def test_cloning_recovers_a_scripted_behaviour(paradigm):
    """The script means 1 where it may, though 0 is paid better."""

    def script(shown, mask):
        wanted = (shown + 1) % 3
        allowed = np.take_along_axis(mask, wanted[..., None], axis=-1)[..., 0]
        return np.where(allowed, wanted, shown)

    data = coordination(np.random.default_rng(1), act=script)
    settings = CQLSettings(backbone="bc", paradigm=paradigm, hidden=(16, 16), batch_size=64, learning_rate=3e-3)
    trained = train_offline(settings, data, (0,), NoRun(), updates=300)
    acted = trained.last.act(data.observation[0], data.mask[0])[:-1, :, 0]
    assert np.array_equal(acted, data.action[0])
    assert trained.curves["actor_loss"][0, -1] < 0.9


def constant(terminates: bool, horizon: int = 4) -> OfflineData:
    """Reward 1 at every step, one valid action, nothing to see; ends by time limit or for good."""
    lead, longer = (3, horizon), (3, horizon + 1, 1)
    terminated = np.zeros(lead, bool)
    terminated[:, -1] = terminates
    return OfflineData(
        observation=np.ones((*longer, 1), np.float32),
        mask=np.tile(np.array([True, False]), (*longer, 1)),
        action=np.zeros((*lead, 1), np.int8),
        reward=np.ones(lead, np.float32),
        terminated=terminated,
    )


@pytest.mark.parametrize("backbone", ["dqn", "sac", "iql"])
@pytest.mark.parametrize(("terminates", "value"), [(False, 10.0), (True, 1.0 / (1.0 - 0.9 * 0.75))])
def test_values_reach_past_a_time_limit_but_not_past_an_end(backbone, terminates, value):
    """Worth 1 / (1 - 0.9) for ever; if one step in four is the last and cannot be seen coming, 1 / (1 - 0.9 * 3/4)."""
    settings = CQLSettings(backbone=backbone, conservatism=0.0, discount=0.9, target_rate=0.2, learning_rate=5e-3)
    settings = settings.but(hidden=(8, 8), batch_size=64, clip=10.0, expectile=0.5)
    updates = 3000 if backbone == "iql" else 1000  # values follow critics follow values
    trained = train_offline(settings, constant(terminates), (0,), NoRun(), updates=updates, evaluate_every=100)
    assert trained.curves["data_q"][0, -1] == pytest.approx(value, rel=0.07)


VARIANTS = {
    "sac, tuned": {"entropy_target": 0.5},
    "dqn, joint": {"backbone": "dqn", "paradigm": "centralised"},
    "iql, shared": {"backbone": "iql", "share_weights": True},
    "bc, independent": {"backbone": "bc", "paradigm": "independent"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_an_interrupted_run_resumes_bitwise(name):
    data, settings = random_data(), CQLSettings(**SMALL, **VARIANTS[name])
    updates, every = DRAWN_TOGETHER + 9, 20

    def judge(policy):
        return {"score": np.sin(1e4 * policy.weights.sum(axis=(1, 2), dtype=np.float64))}

    def finish(run):
        return train_offline(settings, data, (0, 1), run, updates=updates, evaluate=judge, evaluate_every=every)

    straight = finish(NoRun())
    broken = KeptRun(stop_after=DRAWN_TOGETHER - 1)
    with pytest.raises(Interrupted):
        finish(broken)
    broken.stop_after = None
    resumed = finish(broken)
    assert [step for step, _ in broken.logged] == [20, 40, 60, updates]
    assert straight.curves.keys() == resumed.curves.keys()
    for curve, values in straight.curves.items():
        assert np.array_equal(values, resumed.curves[curve]), curve
    for one, other in ((straight.last, resumed.last), (straight.best, resumed.best)):
        for weight, values in one.arrays().items():
            assert np.array_equal(values, other.arrays()[weight]), weight


@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_learns_the_same_alone_and_in_company(name):
    data, settings = random_data(), CQLSettings(**SMALL, **VARIANTS[name])
    episodes = np.array([[0, 1, 2], [5, 3, 1], [2, 4, 4]])
    together = train_offline(settings, data, (4, 7, 9), NoRun(), updates=5, episodes=episodes)
    alone = train_offline(settings, data, (7,), NoRun(), updates=5, episodes=episodes[1:2])
    for one, other in zip(together.last.seed(1).arrays().values(), alone.last.arrays().values(), strict=True):
        assert np.array_equal(one, other)
    for curve in ("actor_loss", "critic_loss"):
        if curve in alone.curves:
            assert np.array_equal(together.curves[curve][1], alone.curves[curve][0])
    assert not np.allclose(together.last.weights[0], together.last.weights[1])


def tagged() -> OfflineData:
    """Every entry says its episode, step and agent."""
    k, t, a = np.indices((6, 8, 2))
    tag = 100.0 * k + t + 0.1 * a
    shown = 10 * k[:, :-1] + t[:, :-1]
    return OfflineData(
        observation=tag[..., None].astype(np.float32),
        mask=np.stack([np.ones_like(t, dtype=bool), t % 2 == 0, k % 2 == 0], axis=-1),
        action=(2 * (k % 2 == 0))[:, :-1].astype(np.int8) * (a[:, :-1] == 1).astype(np.int8),
        reward=shown[..., 0].astype(np.float32),
        terminated=(t[:, :-1, 0] == 3),
    )


def test_minibatches_are_transitions_of_the_seeds_own_episodes():
    data, episodes = tagged(), np.array([[1, 2], [5, 0]])
    minibatches = Minibatches(data, episodes, (0, 3), 200)
    batch = minibatches.take(0)
    for s in range(2):
        k, t = np.divmod(batch.reward[s].astype(int), 10)
        assert set(k) == set(episodes[s])
        assert set(t) == set(range(7))  # the last step, whose successor is the row after it, among them
        assert np.array_equal(batch.observation[s], data.observation[k, t])
        assert np.array_equal(batch.next_observation[s], data.observation[k, t + 1])
        assert np.array_equal(batch.mask[s], data.mask[k, t])
        assert np.array_equal(batch.next_mask[s], data.mask[k, t + 1])
        assert np.array_equal(batch.action[s], data.action[k, t])
        assert np.array_equal(batch.terminated[s], data.terminated[k, t])
        counts = np.bincount(7 * (k == episodes[s, 1]) + t, minlength=14)
        assert counts.min() >= 3  # 200 draws from 14: uniform, not in runs
    first = batch.reward.copy()
    assert not np.array_equal(minibatches.take(1).reward, first)
    minibatches.take(DRAWN_TOGETHER)
    assert np.array_equal(minibatches.take(0).reward, first)
    alike = Minibatches(data, episodes[[0, 0]], (0, 3), 200).take(0)
    assert not np.array_equal(alike.reward[0], alike.reward[1])


def test_scaling_is_fitted_on_the_seeds_own_steps():
    data, episodes = random_data(), np.array([[1, 2], [5, 0]])
    scaling = fit_to_data(data, episodes, shared=False)
    for s in range(2):
        own = data.observation[episodes[s], :-1].reshape(-1, 2, 3).astype(np.float64)
        assert np.allclose(scaling.mean[s], own.mean(axis=0), atol=1e-5)
        assert np.allclose(1 / scaling.factor[s], own.std(axis=0), atol=1e-4)
    trained = train_offline(CQLSettings(**SMALL), data, (0, 1), NoRun(), updates=1, episodes=episodes)
    assert np.array_equal(trained.last.scaling.mean, scaling.mean)
    joint = CQLSettings(**SMALL, share_weights=True, paradigm="centralised")
    trained = train_offline(joint, data, (0, 1), NoRun(), updates=1, episodes=episodes)
    assert np.array_equal(trained.last.scaling.mean, scaling.mean)
    trained = train_offline(CQLSettings(**SMALL, share_weights=True), data, (0, 1), NoRun(), updates=1)
    assert np.array_equal(trained.last.scaling.mean[:, 0], trained.last.scaling.mean[:, 1])


def test_each_seed_keeps_its_own_best_policy():
    seen = []

    def judge(policy):
        seen.append(policy)
        return {"score": np.array([[9.0, 9.0], [1.0, 5.0], [2.0, 4.0], [0.0, 6.0]][len(seen) - 1])}

    data, settings = random_data(), CQLSettings(**SMALL)
    trained = train_offline(settings, data, (0, 1), NoRun(), updates=5, evaluate=judge, evaluate_every=2)
    assert trained.best_update.tolist() == [4, 5]  # the untrained policy's 9 does not count
    assert np.array_equal(trained.best.weights[0], seen[2].weights[0])
    assert np.array_equal(trained.best.weights[1], seen[3].weights[1])
    assert trained.curves["evaluated_score"].shape == (2, 4)
    assert trained.curves["_evaluated_at"].tolist() == [0, 2, 4, 5]
    assert trained.curves["_updates"].tolist() == [2, 4, 5]
    every = train_offline(settings, data, (0, 1), NoRun(), updates=5, evaluate_every=1)
    assert every.best_update.tolist() == [5, 5]
    means = np.stack([every.curves["td_loss"][:, :2].mean(axis=1), every.curves["td_loss"][:, 2:4].mean(axis=1)])
    assert np.allclose(trained.curves["td_loss"][:, :2], means.T)


def test_bad_input_is_one_line():
    data, settings = random_data(), CQLSettings(**SMALL)
    for episodes in (np.array([[0, 6]]), np.array([0, 1]), np.array([[0], [1]]), np.array([[0.0]])):
        with pytest.raises(BadInput, match="episodes must be"):
            train_offline(settings, data, (0,), NoRun(), updates=1, episodes=episodes)
    wrong = data.mask.copy()
    wrong[2, 3, 1, data.action[2, 3, 1]] = False
    with pytest.raises(BadInput, match="not valid under its mask"):
        train_offline(settings, replace(data, mask=wrong), (0,), NoRun(), updates=1)
