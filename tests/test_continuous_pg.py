"""The continuous extension: critics and densities equal slow twins, estimates are unbiased, training finds optima."""

import numpy as np
import pytest
import torch
from oracles import linear_gaussian as slow
from refusals import refused
from small_gaussians import LogVariance, action_values
from toy_worlds import Interrupted, KeptRun, NoRun

from replication.algos import density_models
from replication.algos.continuous_critics import fit_least_squares, fit_lstd, reward_to_go
from replication.algos.continuous_gradient import estimate_gradient, policy_gradient, second_moments
from replication.algos.continuous_network_critic import NetworkCritic
from replication.algos.continuous_pg import ContinuousPGSettings, best_gains, train
from replication.algos.continuous_utilities import QuadraticTarget, StateEntropy
from replication.algos.density_models import (
    DENSITY_MODELS,
    DensitySettings,
    fit_density,
    geometric_states,
    weighted_states,
)
from replication.envs import linear_gaussian_exact as exact
from replication.envs.linear_gaussian import LinearGaussianSettings, make_network, rollout
from replication.envs.linear_gaussian_marginals import marginals, reward_gradient
from replication.envs.networked_mdp import neighbourhoods
from replication.seeding import keys, stream

GAMMA = 0.7


def network(agents=4, graph="line", **changes):
    given = {"agents": agents, "graph": graph, "memory": 0.5, "coupling": 0.4, "variation": 0.2}
    return make_network(LinearGaussianSettings(**(given | changes)))


def settings(**changes) -> ContinuousPGSettings:
    given = {"discount": GAMMA, "batch": 16, "horizon": 12, "gain_high": 0.5, "initial_gain": 0.25}
    return ContinuousPGSettings(**(given | changes))


def gains(agents=4):
    return stream("gains of the tests", agents).uniform(0.05, 0.45, agents)


def lanes(count, *numbers):
    return keys("continuous policy gradient test", *numbers, count=count)


def some(made, count=6, horizon=9, seed=0):
    at = rollout(made, gains(made.agents), lanes(count, seed), horizon)
    return at, np.cos(at.states) - 0.2 * at.actions**2


def near_of(made, kappa):
    return neighbourhoods(made.distance, kappa)


def test_reward_to_go_is_the_sum() -> None:
    at, rewards = some(network())
    np.testing.assert_allclose(reward_to_go(rewards, GAMMA), slow.to_go(rewards, GAMMA), rtol=0, atol=1e-13)
    assert at.states.shape == rewards.shape


@pytest.mark.parametrize("kappa", [0, 1])
def test_linear_critics_equal_slow_twins(kappa) -> None:
    made = network(3)
    at, rewards = some(made, count=12)
    near = near_of(made, kappa)
    fits = [fit(at, rewards, GAMMA, near).values(at.states, at.actions) for fit in (fit_least_squares, fit_lstd)]
    for j in range(3):
        members = near[j][near[j] >= 0]
        wanted = [twin(at, rewards, GAMMA, members, j) for twin in (slow.least_squares_values, slow.lstd_values)]
        np.testing.assert_allclose(fits[0][..., j], wanted[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(fits[1][..., j], wanted[1], rtol=0, atol=1e-8)


def test_linear_critics_find_an_exact_value_without_noise() -> None:
    """Noise-free dynamics: temporal differences on all agents' features give Q itself, up to the actions' noise."""
    made, k = network(2, noise_std=0.0), gains(2)
    at = rollout(made, k, lanes(4000), 6)
    slopes = np.array([0.8, -0.5])
    critic = fit_lstd(at, slopes * at.states**2, GAMMA, near_of(made, 1))
    flat = at.states.reshape(-1, 2), at.actions.reshape(-1, 2)
    wanted = action_values(made, k, slopes, GAMMA, *flat).reshape(at.states.shape)
    assert (critic.values(at.states, at.actions) - wanted).std() < 0.03 * wanted.std()


def test_policy_gradient_equals_loops() -> None:
    made, k = network(5, "ring"), gains(5)
    at, q = some(made, count=3, horizon=4)
    for kappa in (0, 1, 2):
        found = policy_gradient(at, q, k, made.distance <= kappa, GAMMA, made.exploration_std)
        wanted = slow.policy_gradient(at, q, k, made.distance, kappa, GAMMA, made.exploration_std)
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kappa", [0, 1, 3])
def test_least_squares_on_the_same_lanes_is_reward_to_go(kappa) -> None:
    """Compatible features: the score is one of them, so the fit's residual is orthogonal to it."""
    made, k, utility = network(), gains(), QuadraticTarget(0.3, effort=0.2)
    shared = settings(kappa=kappa, batches="shared", ridge=0.0, baseline="none", batch=64)
    linear = estimate_gradient(made, k, utility, shared, 1000, 0)
    plain = estimate_gradient(made, k, utility, shared.but(critic="reward_to_go"), 1000, 0)
    np.testing.assert_allclose(linear.gradient, plain.gradient, rtol=1e-7, atol=1e-10)
    other = estimate_gradient(made, k, utility, shared.but(critic="lstd"), 1000, 0)
    assert np.abs(other.gradient - plain.gradient).max() > 1e-3


ARMS = [("reward_to_go", "none"), ("least_squares", "none"), ("least_squares", "mean_action")]


@pytest.mark.parametrize(("critic", "baseline"), ARMS)
@pytest.mark.parametrize("kappa", [0, 1])
def test_estimates_are_unbiased_for_the_truncated_gradient(critic, baseline, kappa) -> None:
    made, k = network(), gains()
    utility = QuadraticTarget(np.array([0.2, 0.8, 0.3, 0.6]), effort=0.3)
    given = settings(kappa=kappa, critic=critic, baseline=baseline, shadow="exact", ridge=0.0, batch=200, horizon=35)
    found = np.array([estimate_gradient(made, k, utility, given, 1000, t).gradient for t in range(40)])
    wanted = utility.gradient(made, k, GAMMA, kappa)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    # 4.5 standard errors; fitted critics see the rewards of the last steps only in part, hence the absolute slack
    assert np.all(np.abs(found.mean(axis=0) - wanted) < 4.5 * error + 2e-4)
    assert np.linalg.norm(error) < 0.3 * np.linalg.norm(wanted)  # sharp enough to see an error


def test_the_estimate_drops_far_agents() -> None:
    """What agents beyond κ hops earn has no part in the gradient, what is inside has."""
    made, k = network(), gains()
    far = QuadraticTarget(0.0, weight=np.array([0.0, 0.0, 0.0, 1.0]))
    for critic, baseline in (("reward_to_go", "none"), ("lstd", "mean_action")):
        for kappa in range(4):
            given = settings(kappa=kappa, critic=critic, baseline=baseline)
            found = estimate_gradient(made, k, far, given, 1000, 0).gradient
            assert np.array_equal(found != 0.0, made.distance[3] <= kappa)


def test_temporal_differences_need_the_right_features() -> None:
    """With a shadow reward that is no square, least squares keeps the gradient, temporal differences do not."""
    made = network(start_std=2.0)
    k, utility = gains(), StateEntropy(cost=0.4)
    wanted = utility.gradient(made, k, GAMMA, 1)
    errors = {}
    for critic in ("least_squares", "lstd"):
        given = settings(kappa=1, critic=critic, shadow="exact", batch=2000, horizon=16)
        found = np.array([estimate_gradient(made, k, utility, given, 1000, t).gradient for t in range(4)])
        errors[critic] = np.linalg.norm(found.mean(axis=0) - wanted) / np.linalg.norm(wanted)
    assert errors["least_squares"] < 0.35
    assert errors["lstd"] > 1.0


def test_second_moments() -> None:
    made, k = network(), gains()
    at = rollout(made, k, lanes(4000), 40)
    np.testing.assert_allclose(second_moments(at, GAMMA), np.diagonal(exact.moments(made, k, GAMMA)), rtol=0.06, atol=0)
    constant = type(at)(np.full((2, 3, 4), 2.0), at.actions[:2, :3])
    np.testing.assert_allclose(second_moments(constant, GAMMA), 4.0)  # all mass, whatever the horizon


def test_network_critic_learns_values_of_its_neighbourhood() -> None:
    made, k = network(), gains()
    near = near_of(made, 1)
    critic = NetworkCritic(near, 24, 5)
    at = rollout(made, k, lanes(200), 20)
    rewards = at.states**2
    for part in range(8):
        rng = stream("network critic test", part)
        critic.fit(at, rewards, GAMMA, steps=60, batch=256, rate=0.01, rng=rng)
    found, linear = critic.values(at.states, at.actions), fit_least_squares(at, rewards, GAMMA, near)
    goal = reward_to_go(rewards, GAMMA)[:, :10]
    weights = GAMMA ** np.arange(10)[:, None]
    left = [((q[:, :10] - goal) ** 2 * weights).mean() for q in (found, linear.values(at.states, at.actions))]
    assert left[0] < 1.1 * left[1] < 0.7 * ((goal - goal.mean(axis=(0, 1))) ** 2 * weights).mean()
    moved = at.states.copy()
    moved[..., 3] += 1.0
    changed = np.abs(critic.values(moved, at.actions) - found).max(axis=(0, 1)) > 1e-4
    assert changed.tolist() == [False, False, True, True]


def test_network_critic_step_is_adam() -> None:
    near = near_of(network(), 1)
    critic = NetworkCritic(near, 8, 3)
    flat = critic.flat.clone().requires_grad_()
    adam = torch.optim.Adam([flat], lr=0.01)
    at, rewards = some(network())
    for part in range(3):
        critic.fit(at, rewards, GAMMA, steps=1, batch=16, rate=0.01, rng=stream("adam", part))
        copy = NetworkCritic(near, 8, 3)
        copy.flat, copy.scale = flat, critic.scale
        weights = np.tile(GAMMA ** np.arange(9), 6)
        drawn = np.searchsorted(np.cumsum(weights / weights.sum()), stream("adam", part).random(16))
        rest = slow.to_go(rewards, GAMMA).reshape(-1, 4)[drawn]
        loss = 0.0
        for agent, row in enumerate(near):
            first, bias, last, shift = (layer[agent] for layer in copy._cut(flat))
            seen = torch.zeros(16, 6)
            for place, member in enumerate(row):
                if member >= 0:
                    for offset, part_of in ((0, at.states), (3, at.actions)):
                        scaled = part_of.reshape(-1, 4)[drawn, member] / critic.scale[offset // 3, member]
                        seen[:, place + offset] = torch.as_tensor(scaled)
            q = torch.tanh(seen @ first + bias) @ last + shift
            goal = torch.as_tensor((rest[:, agent] - critic.scale[2, agent]) / critic.scale[3, agent])
            loss = loss + ((q[:, 0] - goal) ** 2).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        np.testing.assert_allclose(critic.flat.numpy(), flat.detach().numpy(), rtol=0, atol=2e-5)


def normal_samples(count=20_000):
    return stream("density test").normal(size=(count, 2)) * np.array([1.0, 3.0])


@pytest.mark.parametrize("name", DENSITY_MODELS)
def test_densities_integrate_to_one_and_find_a_normal_law(name) -> None:
    samples = normal_samples()
    model = fit_density(name, samples, DensitySettings(floor=1e-6))
    points = np.linspace(-8, 8, 3201)[:, None] * np.array([1.0, 3.0])
    found = np.exp(model.log_density(points))
    np.testing.assert_allclose(found.sum(axis=0) * (points[1] - points[0]), 1.0, rtol=0, atol=2e-3)
    wanted = np.exp(-0.5 * points**2 / [1.0, 9.0]) / np.sqrt(2 * np.pi * np.array([1.0, 9.0]))
    assert np.abs(found - wanted).sum(axis=0).max() * 0.005 < {"histogram": 0.08, "kernel": 0.04}.get(name, 0.02)
    assert model.log_density(points.reshape(3, -1, 2)).shape == (3, 1067, 2)


def test_gaussian_density_gives_the_shadow_reward_of_the_log_variance() -> None:
    """-log d - 1 of the centred normal law is half the shadow reward s²/S of log S, and a constant."""
    samples, weights = normal_samples(200), stream("weights").random(200)
    model = fit_density("gaussian", samples, DensitySettings(), weights)
    second = (weights / weights.sum()) @ samples**2
    points = np.linspace(-4, 4, 9)[:, None] * np.ones(2)
    reward = StateEntropy().reward(model.log_density(points), points)
    half = 0.5 * LogVariance().slope(second) * points**2
    np.testing.assert_allclose(reward - reward[4], half - half[4], rtol=1e-12, atol=1e-12)


def test_gaussian_density_gives_the_gradient_of_the_log_variance() -> None:
    made, k = network(), gains()
    shared = settings(kappa=3, batches="shared", critic="reward_to_go", baseline="none", density_samples="weighted")
    density = estimate_gradient(made, k, StateEntropy(effort=0.1), shared.but(shadow="gaussian"), 1000, 0)
    moments = estimate_gradient(made, k, LogVariance(effort=0.2), shared.but(shadow="moments"), 1000, 0)
    state, other = density.reward(np.ones(4)), moments.reward(np.ones(4))
    origin = density.reward(np.zeros(4)), moments.reward(np.zeros(4))
    np.testing.assert_allclose(state - origin[0], 0.5 * (other - origin[1]), rtol=1e-12)
    at = rollout(made, k, lanes(32), 20)
    baseline = reward_to_go(np.broadcast_to(origin[0], at.states.shape), GAMMA)
    q = [reward_to_go(part.reward(at.states), GAMMA) for part in (density, moments)]
    np.testing.assert_allclose(q[0] - baseline, 0.5 * q[1], rtol=0, atol=1e-11)


def test_mixture_equals_its_slow_twin() -> None:
    samples = normal_samples(150)[:, :1] * stream("scales").choice([0.3, 1.0, 4.0], size=(150, 1))
    weights = stream("weights").random(150)
    model = fit_density("mixture", samples, DensitySettings(em_steps=12), weights)
    shares, variances = slow.mixture_fit(samples[:, 0], weights / weights.sum(), 3, 12)
    np.testing.assert_allclose(model.shares[:, 0], shares, rtol=0, atol=3e-3)
    np.testing.assert_allclose(model.variances[:, 0], variances, rtol=0.01)


def test_histogram_and_kernel_equal_their_definitions() -> None:
    samples, weights = normal_samples(80), stream("weights").random(80)
    share = weights / weights.sum()
    points = np.array([[0.11, -1.3], [2.0, 20.0], [-0.7, 0.05]])
    histogram = fit_density("histogram", samples, DensitySettings(bins=7, floor=0.01), weights)
    kernel = fit_density("kernel", samples, DensitySettings(floor=0.01), weights)
    widths = density_models.silverman(samples, share)
    for x, i in np.ndindex(3, 2):
        low, width = samples[:, i].min(), np.ptp(samples[:, i]) / 7
        same = np.floor((samples[:, i] - low) / width).clip(0, 6) == np.floor((points[x, i] - low) / width)
        wanted = np.log(share[same].sum() / width + 0.01)
        assert histogram.log_density(points)[x, i] == pytest.approx(wanted, abs=1e-9)
        bumps = np.exp(-0.5 * ((points[x, i] - samples[:, i]) / widths[i]) ** 2) / (np.sqrt(2 * np.pi) * widths[i])
        assert kernel.log_density(points)[x, i] == pytest.approx(np.log(share @ bumps + 0.01), abs=0.01)


def test_rules_for_widths() -> None:
    samples = normal_samples(1000)
    equal = np.full(1000, 1e-3)
    np.testing.assert_allclose(density_models.silverman(samples, equal), 0.9 * samples.std(axis=0) * 1000**-0.2)
    np.testing.assert_allclose(density_models.scott(samples, equal), 3.49 * samples.std(axis=0) * 1000 ** (-1 / 3))
    half = np.where(np.arange(1000) < 500, 2e-3, 0.0)  # half of the samples do not count
    np.testing.assert_allclose(
        density_models.scott(samples, half), density_models.scott(samples[:500], np.full(500, 2e-3)), rtol=1e-12
    )


def test_geometric_times() -> None:
    made, k = network(), gains()
    lane_keys, horizon = lanes(3000), 8
    at = rollout(made, k, lane_keys, horizon)
    found = geometric_states(at, GAMMA, lane_keys)
    times = np.array([slow.geometric_time(int(key), GAMMA, horizon) for key in lane_keys])
    assert np.array_equal(found, at.states[np.arange(3000), times])
    wanted = GAMMA ** np.arange(horizon)
    shares = np.bincount(times, minlength=horizon) / 3000
    np.testing.assert_allclose(shares, wanted / wanted.sum(), rtol=0, atol=0.03)
    states, weights = weighted_states(at, GAMMA)
    assert np.array_equal(states[horizon], at.states[1, 0])
    np.testing.assert_allclose(weights[: horizon + 1], [*wanted, 1.0])


def fitted_error(name, count, start_std):
    """Relative error of the exact gradient with a fitted density in place of the exact one."""
    made, k, utility = network(start_std=start_std), gains(), StateEntropy(cost=0.2)
    at = rollout(made, k, lanes(count), 40)
    states, weights = weighted_states(at, GAMMA)
    model, laws = fit_density(name, states, DensitySettings(), weights), marginals(made, k, GAMMA)

    def reward(points):
        return 0.5 * sum(utility.reward(model.log_density(sign * points), points) for sign in (1.0, -1.0))

    wanted = utility.gradient(made, k, GAMMA)
    return np.linalg.norm(reward_gradient(made, k, laws, reward) - wanted) / np.linalg.norm(wanted)


def test_fitted_densities_give_the_gradient_of_the_entropy() -> None:
    """A mixture holds the occupancy's law and gets ever better; a single normal law only where that law is normal."""
    few, many = (fitted_error("mixture", count, 4.0) for count in (60, 6000))
    assert many < 0.05
    assert many < 0.5 * few
    assert fitted_error("kernel", 6000, 4.0) < 0.3
    assert fitted_error("histogram", 6000, 4.0) < 0.15
    assert fitted_error("gaussian", 6000, 4.0) > 1.0
    assert fitted_error("gaussian", 6000, 0.6) < 0.05


def test_exact_training_reaches_a_reachable_target() -> None:
    made = network(5, "ring")
    hidden = stream("hidden gains").uniform(0.1, 0.4, 5)
    utility = QuadraticTarget(np.diagonal(exact.moments(made, hidden, GAMMA)))
    given = settings(step_size=8.0)
    done = train(made, utility, given, (1000,), 600, gradient_source="exact", run=NoRun())
    np.testing.assert_allclose(done.gains[0], hidden, rtol=0, atol=1e-4)
    assert -1e-10 < done.curves["evaluated_objective"][0, -1] <= 0.0
    found, value = best_gains(made, utility, given)
    np.testing.assert_allclose(found, hidden, rtol=0, atol=1e-5)
    assert value == pytest.approx(0.0, abs=1e-13)


def test_gaps_of_truncated_training_fall_with_radius() -> None:
    """Helpers have effort but no interest of their own: without seeing a neighbour's value they do nothing."""
    made = network(6, "ring", coupling=0.45, variation=0.0)
    utility = QuadraticTarget(0.3, effort=0.02, weight=np.array([0.0, 2.0] * 3))
    given = settings(step_size=10.0)
    _, value = best_gains(made, utility, given)
    ends = [
        train(made, utility, given.but(kappa=kappa), (1000,), 400, gradient_source="exact_truncated")
        for kappa in (0, 1, 2, 3)
    ]
    gaps = [value - done.curves["evaluated_objective"][0, -1] for done in ends]
    assert np.all(ends[0].gains[0, ::2] < 1e-2)  # helpers
    assert gaps[0] > 100 * gaps[1] > 100 * gaps[2]
    assert abs(gaps[3]) < 1e-9  # the diameter: exact


def test_best_gains_are_stationary_inside_and_push_outwards_at_the_border() -> None:
    made = network()
    given = settings()
    for utility in (LogVariance(cost=2.0, effort=0.5), StateEntropy(cost=1.0, effort=0.3), LogVariance()):
        found, value = best_gains(made, utility, given)
        slope = utility.gradient(made, found, GAMMA)
        low, high = found <= 1e-9, found >= 0.5 - 1e-9
        assert np.all(np.abs(slope[~low & ~high]) < 1e-6)
        assert np.all(slope[low] <= 1e-9)
        assert np.all(slope[high] >= -1e-9)
        assert value >= utility.objective(made, np.full(4, 0.2), GAMMA)


@pytest.mark.parametrize("critic", ["least_squares", "lstd"])
def test_sampled_training_approaches_the_optimum(critic) -> None:
    made = network(5, "ring", start_std=1.0)
    utility = QuadraticTarget(np.array([0.35, 0.5, 0.35, 0.6, 0.4]), effort=0.05)
    given = settings(kappa=1, critic=critic, batch=64, horizon=25, step_size=1.0)
    _, value = best_gains(made, utility, given)
    done = train(made, utility, given, (1000, 1001), 60, evaluate_every=60)
    gap = value - done.curves["evaluated_objective"]
    assert np.all(gap[:, 0] > 1e-3)
    assert np.all(gap[:, 1] < 0.1 * gap[:, 0])


def test_training_on_a_density_avoids_what_a_wrong_density_finds() -> None:
    """Wide starts: the occupancy is far from normal, and a normal model leads to other gains than a mixture."""
    made = network(5, "ring", start_std=3.0, variation=0.0, coupling=0.3)
    utility = StateEntropy(cost=0.3, effort=0.02)
    given = settings(kappa=1, batch=200, horizon=20, step_size=0.15, density_samples="weighted")
    best, value = best_gains(made, utility, given)
    wrong, _ = best_gains(made, LogVariance(cost=0.6, effort=0.04), given)
    assert np.all(wrong - best > 0.05)
    ends = {}
    for shadow in ("mixture", "gaussian"):
        done = train(made, utility, given.but(shadow=shadow), (1000,), 25, start=best, evaluate_every=25)
        ends[shadow] = value - done.curves["evaluated_objective"][0, -1]
    assert ends["gaussian"] > 5.0 * ends["mixture"]


def seeds_of(done, place):
    return {name: row[place] for name, row in done.curves.items() if not name.startswith("_")}


@pytest.mark.parametrize("critic", ["lstd", "network"])
def test_resume_is_bitwise_and_seeds_are_independent(critic) -> None:
    made, utility = network(), StateEntropy(cost=0.5, effort=0.1)
    small = {"network_width": 4, "network_steps": 3, "network_batch": 32}
    given = settings(critic=critic, shadow="mixture", initial_scale=0.05, **small)
    whole = train(made, utility, given, (1000, 1001), 5, evaluate_every=2)
    run = KeptRun(stop_after=3)
    with pytest.raises(Interrupted):
        train(made, utility, given, (1000, 1001), 5, evaluate_every=2, run=run)
    run.stop_after = None
    again = train(made, utility, given, (1000, 1001), 5, evaluate_every=2, run=run)
    assert np.array_equal(whole.gains, again.gains)
    for name, row in whole.curves.items():
        assert np.array_equal(row, again.curves[name]), name
    assert [step for step, _ in run.logged] == [2, 4, 5]
    alone = train(made, utility, given, (1001,), 5, evaluate_every=2)
    assert np.array_equal(alone.gains[0], whole.gains[1])
    for name, row in seeds_of(whole, 1).items():
        assert np.array_equal(row, seeds_of(alone, 0)[name]), name
    assert not np.array_equal(whole.gains[0], whole.gains[1])


def test_costs() -> None:
    made, utility = network(), QuadraticTarget(0.3)
    given = settings(kappa=1)
    pairs = 16 * 12  # one batch
    others = 6  # on a line of four, there and back
    plain = {"baseline": "none", "critic": "reward_to_go"}
    cases = [
        (given, 3, pairs + 2 * 2 * pairs),
        (given.but(shadow="exact"), 2, pairs + 2 * 2 * pairs),
        (given.but(batches="shared"), 1, pairs + 2 * pairs),
        (given.but(**plain), 2, pairs),
        (given.but(**plain, shadow="exact"), 1, pairs),
    ]
    for chosen, batches, numbers in cases:
        found = estimate_gradient(made, gains(), utility, chosen, 1000, 0)
        assert found.samples == batches * pairs
        assert found.bytes_exchanged == 8 * others * numbers
    done = train(made, utility, given, (1000,), 3)
    assert done.curves["_samples"].tolist() == [3 * pairs, 6 * pairs, 9 * pairs]


def test_gains_stay_in_the_box() -> None:
    made = network()
    given = settings(step_size=1e3, gain_low=0.1, initial_scale=0.5)
    done = train(made, QuadraticTarget(0.3), given, (1000, 1001), 2)
    assert set(np.unique(done.gains)) <= {0.1, 0.5}
    clipped = train(made, QuadraticTarget(0.3), settings(gradient_clip=1e-3), (1000,), 2)
    assert np.abs(clipped.gains - 0.25).max() <= 2e-3 + 1e-12


def test_bad_input_is_one_line() -> None:
    made, utility = network(), QuadraticTarget(0.3)
    cases = [
        (lambda: train(made, utility, settings(kappa=9), (1,), 1), "kappa must be from 0 to 3"),
        (lambda: train(made, utility, settings(), (), 1), "at least one seed"),
        (lambda: train(made, utility, settings(), (1,), 0), "iterations must be"),
        (lambda: train(made, utility, settings(), (1,), 1, gradient_source="exakt"), "did you mean exact"),
        (lambda: train(made, utility, settings(), (1,), 1, start=np.zeros(3)), "start must have shape"),
        (lambda: train(made, utility, settings(gain_high=3.0), (1,), 1), "narrow the range"),
        (lambda: train(made, utility, settings(shadow="kernel"), (1,), 1), "exact, moments for utility"),
        (lambda: train(made, StateEntropy(), settings(), (1,), 1), "kernel for utility 'state_entropy', got 'moments'"),
        (lambda: settings(critic="reward_to_go"), "set baseline='none'"),
        (lambda: settings(gain_low=0.3), "gain_low <= initial_gain"),
        (lambda: settings(kappa=-1), "kappa must be"),
        (lambda: settings(batsch=3), "did you mean batch"),
        (lambda: fit_density("kernell", normal_samples(9), DensitySettings()), "did you mean kernel"),
        (lambda: fit_density("kernel", np.ones((5, 2)), DensitySettings()), "two different states"),
    ]
    for call, message in cases:
        with refused(message):
            call()
