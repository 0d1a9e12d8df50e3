"""Radio datasets: logs and rewards agree with the worlds, tiers are what they say, requests share pools."""

import numpy as np
import pytest

import replication
from replication.data import offline
from replication.data.offline import OfflineData
from replication.envs import radio_logs
from replication.envs.radio_settings import RadioSettings
from replication.papers.radio_resource import collection
from replication.seeding import keys
from replication.settings import BadInput, digest

WORLD, HORIZON = "radio/3x8", 30
SMALL = {"horizon": HORIZON, "warm_up": 10, "sinusoids": 4}
VARIANTS = {
    "plain": {},
    "everything observed": {"observe_snr": True, "observe_activity": True, "observe_others": True},
    "users come and go": {"departure_rate": 20.0, "arrival_rate": 20.0},
    "walkers hand over": {"walk_speed": 30.0, "sinr": "measured", "encoding": "decibel"},
}


def refused(*words: str):
    """One line that holds all these words."""
    return pytest.raises(BadInput, match="(?s)^" + "".join(f"(?=[^\n]*{word})" for word in words) + r"[^\n]*$")


def logged(**options) -> OfflineData:
    """Six random episodes."""
    environment = RadioSettings(**{**SMALL, **options})
    world = replication.make(WORLD, **environment.plain())
    log = collection.collect(WORLD, environment, collection.random_actions, 6, "logs of a test", 0)
    return log.data({"environment": radio_logs.environment(world), "observation": radio_logs.observation_card(world)})


def replayed(data: OfflineData, **options):
    """Results of every step when the logged actions are taken in a world with `options`."""
    world = replication.make(WORLD, num_envs=data.episodes, **{**SMALL, **options})
    world.reset(np.array([keys("logs of a test layouts", 0, k, count=1)[0] for k in range(data.episodes)], np.uint64))
    return [world.step(data.action[:, step, :, None].astype(np.int64)) for step in range(data.horizon)]


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_logs_are_what_the_world_says(options):
    data, steps = logged(**options), replayed(logged(**options), **options)
    offline.check(data)
    for t, (observation, reward, terminated, truncated, info) in enumerate(steps):
        np.testing.assert_array_equal(data.observation[:, t + 1], observation)
        np.testing.assert_array_equal(data.reward[:, t], reward[:, 0].astype(np.float32))
        np.testing.assert_array_equal(data.logs["weights"][:, t], info["weights"].astype(np.float32))
        np.testing.assert_array_equal(data.logs["served"][:, t], info["served"])
        for episode, ap in np.ndindex(data.episodes, data.num_agents):
            user = info["served"][episode, ap]
            rate = info["rates"][episode, user] if user >= 0 else 0.0
            assert data.logs["rates"][episode, t, ap] == np.float32(rate)
        assert not data.terminated[:, t].any()
        assert not terminated.any()
        assert truncated.all() == (t == HORIZON - 1)
    assert (data.logs["served"] < 0).any()


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_scores_from_logs_are_the_worlds(options):
    data = logged(**options)
    info = replayed(data, **options)[-1][4]
    for name, values in radio_logs.scores(data, RadioSettings()).items():
        np.testing.assert_allclose(values, info[f"final_{name}"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("form", ["weighted_rate", "utility_gain"])
@pytest.mark.parametrize("fairness", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("options", [VARIANTS["plain"], VARIANTS["users come and go"]], ids=["plain", "come and go"])
def test_relabelled_rewards_are_what_another_world_pays(form, fairness, options):
    data = logged(**options)
    other = {"fairness": fairness, "reward": form, "reward_scale": 0.5, **options}
    found = radio_logs.relabel(data, RadioSettings(**{**SMALL, **other}))
    paid = np.stack([step[1][:, 0] for step in replayed(data, **other)], axis=1)
    np.testing.assert_allclose(found.reward, paid, rtol=2e-5, atol=2e-5)
    assert np.abs(found.reward - data.reward).max() > 0.01
    assert found.reward.dtype == np.float32
    assert found.card["paid"] == {"fairness": fairness, "form": form, "scale": 0.5}
    assert found.card["reward"]["mean"] == pytest.approx(float(paid.mean()), rel=1e-4)
    again = radio_logs.relabel(found, RadioSettings(**{**SMALL, **options}))
    np.testing.assert_allclose(again.reward, data.reward, rtol=1e-5, atol=1e-6)


def test_relabelling_refuses_what_it_cannot_do():
    data = logged()
    with refused("smoothing 0.01", "smoothing 0.05"):
        radio_logs.relabel(data, RadioSettings(**SMALL, smoothing=0.05))
    with refused("without the logs weights, served, rates"):
        radio_logs.relabel(OfflineData(data.observation, data.mask, data.action, data.reward, data.terminated),
                           RadioSettings(**SMALL))  # fmt: skip
    with refused("fairness", "less than or equal to 1", "1.5"):
        radio_logs.relabel(data, RadioSettings(**SMALL, fairness=1.5))


def test_only_what_shapes_transitions_is_the_environment():
    def name(world: str = WORLD, **options) -> str:
        return digest(radio_logs.environment(replication.make(world, **{**SMALL, **options})))

    same = [{"fairness": 0.1}, {"reward": "utility_gain"}, {"reward_scale": 2.0}, {"tail_weight": 1.0},
            {"sum_weight": 0.0}, {"tail_percentile": 50.0}, {"invalid": "refuse"}, {"layout_seed": 3}]  # fmt: skip
    other = [{"smoothing": 0.05}, {"area": 400.0}, {"warm_up": 11}, {"horizon": 31}, {"observe_snr": True},
             {"layout": "fixed"}, {"sinr": "measured"}, {"top_users": 2}]  # fmt: skip
    assert {name(**options) for options in same} == {name()}
    assert len({name(), name("radio/3x9"), *(name(**options) for options in other)}) == 2 + len(other)
    fixed = {"layout": "fixed"}
    assert name(**fixed, layout_seed=3) != name(**fixed)
    world = replication.make(WORLD, horizon=HORIZON)
    assert name(warm_up=None, sinusoids=25) == digest(radio_logs.environment(world))


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_the_observation_card_tells_which_numbers_fill_empty_ranks(options):
    data = logged(**options, top_users=4)
    card, empty, held = data.card["observation"], 0, 0
    assert len(card["names"]) == data.features
    for agent, feature in np.ndindex(data.num_agents, data.features):
        other, action = card["held_by"][agent][feature]
        if action >= 0:
            nobody = ~data.mask[:, :, other, action]
            empty += nobody.sum()
            assert (data.observation[:, :, agent, feature][nobody] == 0).all()
            assert nobody.all() or (data.observation[:, :, agent, feature][~nobody] != 0).any()
            held += (~nobody).sum()
    assert min(empty, held) > 0
    (sinr, low, high), (weight, *_) = card["grid"]
    assert (card["names"][sinr], card["names"][weight]) == ("SINR of rank 1", "weight of rank 1")
    assert low < np.median(data.observation[..., sinr]) < high


def test_episodes_do_not_depend_on_how_many_are_collected(monkeypatch):
    few, many = logged(), logged()
    monkeypatch.setattr(collection, "LANES", 4)
    environment = RadioSettings(**SMALL)
    many = collection.collect(WORLD, environment, collection.random_actions, 11, "logs of a test", 0).data({})
    for name in ("observation", "mask", "action", "reward"):
        np.testing.assert_array_equal(getattr(many, name)[:6], getattr(few, name))
    assert len(np.unique(many.observation[:, 0], axis=0)) == 11


def test_random_actions_are_uniform_among_the_valid_ones():
    data = logged(top_users=4)
    valid = data.mask[:, :-1].sum(axis=-1)
    for count in range(2, 6):
        chosen = data.action[valid == count]
        assert len(chosen) > 60
        share = np.bincount(chosen, minlength=5) / len(chosen)
        np.testing.assert_allclose(share[:count], 1 / count, atol=4 * np.sqrt(0.25 / len(chosen)))
        assert share[count:].sum() == 0
