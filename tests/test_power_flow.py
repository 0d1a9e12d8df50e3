"""Power flow: known values, Newton's method on dense matrices, two other packages, and what must never change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from oracles import dense_power_flow, power_flow
from refusals import refused

from replication.envs import feeder as feeders
from replication.envs.feeder import Feeder, case33
from replication.envs.power_flow import solve
from replication.envs.power_flow_kernel import (
    LANES,
    arc_tangent,
    branch_loss_tile,
    flat_start,
    line_loss_tile,
    network,
    sweep_tile,
    tile,
)
from replication.seeding import stream
from replication.settings import BadInput

SHIPPED = [name for name in ("case33", "case141", "case322") if hasattr(feeders, name)]


def made_up(seed: int, num_buses: int = 14) -> Feeder:
    """Small random tree with transformers (ratio and phase shift) and shunts at either end of half its branches."""
    rng = stream("made-up feeder", seed)
    n = num_buses
    parent = np.array([-1] + [int(rng.integers(max(0, k - 4), k)) for k in range(1, n)])
    is_line = rng.random(n) < 0.7
    some_branches = rng.random(n) < 0.5

    def shunt(size: float) -> np.ndarray:
        return np.where(some_branches, size * rng.random(n), 0.0)

    return Feeder(
        name=f"made-up-{seed}",
        base_mva=5.0,
        vn_kv=np.full(n, 10.0),
        parent=parent,
        r=rng.uniform(0.002, 0.03, n),
        x=rng.uniform(0.002, 0.03, n),
        g_from=shunt(0.004),
        b_from=shunt(0.01),
        g_to=shunt(0.004),
        b_to=shunt(-0.01),
        ratio=np.where(is_line, 1.0, rng.uniform(0.95, 1.05, n)),
        shift=np.where(is_line, 0.0, rng.uniform(-3.0, 3.0, n)),
        is_line=is_line,
        load_mw=rng.uniform(0.0, 0.3, n),
        load_mvar=rng.uniform(0.0, 0.15, n),
        zone=np.ones(n, dtype=np.int64),
        pv_bus=np.array([n - 1]),
        pv_mva=np.array([1.0]),
        action_bound=0.8,
        source="drawn at random",
    )


def random_demand(feeder: Feeder, batch: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """Rated loads times 0.3-1.5, some buses feeding in."""
    rng = stream(purpose)
    shape = (batch, feeder.num_buses)
    feeding = np.where(rng.random(shape) < 0.15, -1.5, 1.0)
    return (
        feeder.load_mw * rng.uniform(0.3, 1.5, shape) * feeding,
        feeder.load_mvar * rng.uniform(-0.5, 1.5, shape),
    )


def complex_voltage(answer) -> np.ndarray:
    return answer.voltage * np.exp(1j * answer.angle)


def test_base_case_of_33_buses():
    feeder = case33()
    answer = solve(feeder, feeder.load_mw[None], feeder.load_mvar[None])
    assert answer.converged.all()
    assert answer.voltage[0].argmin() == 17
    assert answer.voltage[0, 17] == pytest.approx(0.9130905, abs=1e-7)
    assert answer.losses_mw.sum() * 1e3 == pytest.approx(202.677, abs=1e-3)
    assert answer.voltage[0, 0] == 1.0
    assert answer.angle[0, 0] == 0.0
    assert answer.losses_mw[0, 0] == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_newton_on_transformers_and_shunts(seed):
    feeder = made_up(seed)
    p_mw, q_mvar = random_demand(feeder, 5, "demand of a made-up feeder")
    answer = solve(feeder, p_mw, q_mvar)
    for row in range(5):
        exact = dense_power_flow.solve(feeder, p_mw[row], q_mvar[row])
        assert np.abs(complex_voltage(answer)[row] - exact).max() < 1e-8
        losses = dense_power_flow.branch_losses_mw(feeder, exact)
        assert np.abs(answer.losses_mw[row] - losses).max() < 1e-7


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_feeders_at_rated_load(name):
    feeder = getattr(feeders, name)()
    exact = dense_power_flow.solve(feeder, feeder.load_mw, feeder.load_mvar)
    answer = solve(feeder, feeder.load_mw[None], feeder.load_mvar[None])
    assert np.abs(complex_voltage(answer)[0] - exact).max() < 1e-8
    assert np.abs(answer.losses_mw[0] - dense_power_flow.branch_losses_mw(feeder, exact)).max() < 1e-7


@pytest.mark.parametrize("name", [*SHIPPED, "made-up"])
def test_agrees_with_pandapower(name):
    pytest.importorskip("pandapower")
    feeder = made_up(3) if name == "made-up" else getattr(feeders, name)()
    voltage, angle = power_flow.run_pandapower(power_flow.pandapower_net(feeder), feeder.load_mw, feeder.load_mvar)
    answer = solve(feeder, feeder.load_mw[None], feeder.load_mvar[None])
    assert np.abs(answer.voltage[0] - voltage).max() < 1e-8
    assert np.abs(np.exp(1j * answer.angle[0]) - np.exp(1j * angle)).max() < 1e-8


def test_agrees_with_power_grid_model():
    pytest.importorskip("power_grid_model")
    feeder = case33()
    p_mw, q_mvar = random_demand(feeder, 100, "demand for power-grid-model")
    update = power_flow.power_grid_model_update(feeder, p_mw, q_mvar)
    voltage, angle, losses = power_flow.run_power_grid_model(power_flow.power_grid_model(feeder), update)
    answer = solve(feeder, p_mw, q_mvar)
    assert np.abs(answer.voltage - voltage).max() < 1e-8
    assert np.abs(answer.angle - angle).max() < 1e-8
    assert np.abs(answer.losses_mw[:, 1:] - losses).max() < 1e-7


def test_converges_up_to_the_nose_and_says_so_beyond_it():
    feeder = case33()
    scale = np.array([0.25, 1.0, 3.0, 3.5, 3.6, 3.7, 6.0, 50.0])
    answer = solve(feeder, scale[:, None] * feeder.load_mw, scale[:, None] * feeder.load_mvar)
    assert answer.converged.tolist() == [True] * 5 + [False] * 3
    assert (answer.iterations[5:] == 100).all()
    assert (np.diff(answer.iterations[:5]) > 0).all()
    assert np.isnan(answer.voltage[5:]).all()
    assert np.isnan(answer.angle[5:]).all()
    assert np.isnan(answer.losses_mw[5:]).all()
    exact = dense_power_flow.solve(feeder, 3.6 * feeder.load_mw, 3.6 * feeder.load_mvar)
    assert np.abs(complex_voltage(answer)[4] - exact).max() < 1e-6
    with pytest.raises(ArithmeticError):
        dense_power_flow.solve(feeder, 3.7 * feeder.load_mw, 3.7 * feeder.load_mvar)


def test_iteration_limit_is_kept():
    feeder = case33()
    answer = solve(feeder, feeder.load_mw[None], feeder.load_mvar[None], max_iterations=3)
    assert not answer.converged[0]
    assert answer.iterations[0] == 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["case33", "made-up"])
def test_a_row_is_bitwise_independent_of_its_batch(dtype, name):
    feeder = case33() if name == "case33" else made_up(1)
    p_mw, q_mvar = random_demand(feeder, 131, "demand for independence")
    strain = np.linspace(0.0, 4.5, 131)[:, None]  # from no load to beyond the nose: very different iteration counts
    p_mw, q_mvar = p_mw * strain, q_mvar * strain
    whole = solve(feeder, p_mw, q_mvar, dtype=dtype)
    assert len(np.unique(whole.iterations)) > 5
    order = stream("order of rows").permutation(131)
    shuffled = solve(feeder, p_mw[order], q_mvar[order], dtype=dtype)
    for field in ("voltage", "angle", "losses_mw", "converged", "iterations"):
        values = getattr(whole, field)
        assert values[order].tobytes() == getattr(shuffled, field).tobytes()
        for first, last in ((0, 1), (5, 6), (130, 131), (60, 70), (3, 68)):
            part = getattr(solve(feeder, p_mw[first:last], q_mvar[first:last], dtype=dtype), field)
            assert values[first:last].tobytes() == part.tobytes()


def test_slack_column_moves_no_voltage():
    feeder = case33()
    p_mw, q_mvar = random_demand(feeder, 3, "demand beside the slack")
    changed = p_mw.copy()
    changed[:, 0] = [1e3, -5.0, 7.0]
    assert solve(feeder, p_mw, q_mvar).voltage.tobytes() == solve(feeder, changed, q_mvar).voltage.tobytes()


def test_float32_stays_within_a_few_roundings():
    feeder = case33()
    p_mw, q_mvar = random_demand(feeder, 200, "demand in single precision")
    exact, quick = solve(feeder, p_mw, q_mvar), solve(feeder, p_mw, q_mvar, dtype=np.float32)
    assert quick.voltage.dtype == quick.angle.dtype == quick.losses_mw.dtype == np.float32
    assert quick.converged.all()
    assert np.abs(quick.voltage - exact.voltage).max() < 2e-6
    assert np.abs(quick.angle - exact.angle).max() < 2e-6
    assert np.abs(quick.losses_mw - exact.losses_mw).max() < 2e-5


def test_float32_never_waits_for_changes_below_its_rounding():
    feeder = case33()
    answer = solve(feeder, feeder.load_mw[None], feeder.load_mvar[None], dtype=np.float32, tol=1e-12)
    assert answer.converged.all()
    assert answer.iterations[0] < 12


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=some.integers(0, 10**6), strain=some.floats(0.0, 1.5), num_buses=some.integers(2, 25))
def test_slack_feeds_loads_and_losses(seed, strain, num_buses):
    feeder = made_up(seed, num_buses)
    rng = stream("demand for the balance", seed)
    p_mw = strain * feeder.load_mw * rng.uniform(-1, 1, num_buses)
    q_mvar = strain * feeder.load_mvar * rng.uniform(-1, 1, num_buses)
    answer = solve(feeder, p_mw[None], q_mvar[None])
    assert answer.converged.all()
    voltage = complex_voltage(answer)[0]
    injected = voltage * np.conj(dense_power_flow.admittance(feeder) @ voltage) * feeder.base_mva
    assert np.abs(injected[1:] + (p_mw + 1j * q_mvar)[1:]).max() < 1e-5
    assert injected[0].real == pytest.approx(p_mw[1:].sum() + answer.losses_mw.sum(), abs=1e-5)


def test_more_sweeps_follow_from_a_tighter_tolerance():
    feeder = case33()
    loose, tight = (solve(feeder, feeder.load_mw[None], feeder.load_mvar[None], tol=tol) for tol in (1e-4, 1e-12))
    assert loose.iterations[0] < tight.iterations[0]
    exact = dense_power_flow.solve(feeder, feeder.load_mw, feeder.load_mvar)
    assert np.abs(tight.voltage[0] - np.abs(exact)).max() < 1e-12
    assert 1e-12 < np.abs(loose.voltage[0] - np.abs(exact)).max() < 1e-4


def test_empty_batch_gives_empty_answer():
    nothing = np.empty((0, 33))
    answer = solve(case33(), nothing, nothing)
    assert answer.voltage.shape == answer.losses_mw.shape == (0, 33)
    assert answer.converged.shape == (0,)


def filled_tile(feeder: Feeder):
    """A tile with a different random demand in every lane."""
    lanes = tile(feeder.num_buses)
    p_mw, q_mvar = random_demand(feeder, LANES, "demand of a tile")
    per_unit = 1 / feeder.base_mva
    lanes.demand[:, 0], lanes.demand[:, 1] = p_mw.T * per_unit, q_mvar.T * per_unit
    return lanes, p_mw, q_mvar


def test_tile_kernels_agree_with_solve():
    feeder = made_up(2)
    net = network(feeder)
    lanes, p_mw, q_mvar = filled_tile(feeder)
    flat_start(lanes)
    sweep_tile(net, lanes, 1e-8, 100)
    answer = solve(feeder, p_mw, q_mvar)
    losses, total = np.empty((feeder.num_buses, LANES)), np.empty(LANES)
    branch_loss_tile(net, lanes, losses)
    line_loss_tile(net, lanes, total)
    assert losses.T.tobytes() == answer.losses_mw.tobytes()
    assert lanes.iterations.tobytes() == answer.iterations.tobytes()
    assert 0 < feeder.is_line[1:].sum() < feeder.num_buses - 1
    assert np.abs(total - answer.losses_mw[:, feeder.is_line].sum(axis=1)).max() < 1e-12


def test_a_start_at_the_solution_ends_after_one_sweep():
    feeder = case33()
    net = network(feeder)
    lanes, _, _ = filled_tile(feeder)
    flat_start(lanes)
    sweep_tile(net, lanes, 1e-10, 100)
    first = lanes.voltage.copy()
    assert (lanes.iterations > 3).all()
    sweep_tile(net, lanes, 1e-8, 100)
    assert (lanes.iterations == 1).all()
    assert np.abs(lanes.voltage - first).max() < 1e-9


def test_a_broken_lane_is_reported_and_harms_no_other():
    feeder = case33()
    net = network(feeder)
    lanes, _, _ = filled_tile(feeder)
    flat_start(lanes)
    sweep_tile(net, lanes, 1e-8, 100)
    good = lanes.voltage.copy()
    lanes.demand[18, 0, 5] = np.nan
    flat_start(lanes)
    sweep_tile(net, lanes, 1e-8, 100)
    assert lanes.converged.tolist() == [lane != 5 for lane in range(LANES)]
    others = np.arange(LANES) != 5
    assert lanes.voltage[:, :, others].tobytes() == good[:, :, others].tobytes()


def test_arc_tangent_in_every_quadrant():
    turn = np.linspace(-np.pi, np.pi, 4001)[1:]
    size = stream("arc tangent").uniform(1e-3, 1e3, turn.size)
    given_angle = np.array([arc_tangent.py_func(s * np.sin(t), s * np.cos(t)) for s, t in zip(size, turn, strict=True)])
    assert np.abs(np.exp(1j * given_angle) - np.exp(1j * turn)).max() < 1e-15
    assert np.abs(given_angle[:-1] - turn[:-1]).max() < 1e-14


BAD = {
    "columns": (lambda p, q: (p[:, :-1], q), {}, "p_mw must have shape"),
    "one row without a batch axis": (lambda p, q: (p[0], q[0]), {}, "p_mw must have shape"),
    "shapes that disagree": (lambda p, q: (p, q[:1]), {}, "same shape"),
    "NaN": (lambda p, q: (np.where(np.arange(33) == 4, np.nan, p), q), {}, "row 0, bus 4"),
    "infinity": (lambda p, q: (p, np.where(np.arange(33) == 7, -np.inf, q)), {}, "q_mvar holds -inf in row 0, bus 7"),
    "complex": (lambda p, q: (p + 1j, q), {}, "real numbers"),
    "words": (lambda p, q: (p, np.full(p.shape, "a")), {}, "real numbers"),
    "dtype": (lambda p, q: (p, q), {"dtype": np.int64}, "dtype must be"),
    "no dtype": (lambda p, q: (p, q), {"dtype": "float65"}, "dtype must be"),
    "tol": (lambda p, q: (p, q), {"tol": 0.0}, "tol must be"),
    "tol NaN": (lambda p, q: (p, q), {"tol": float("nan")}, "tol must be"),
    "limit": (lambda p, q: (p, q), {"max_iterations": 0}, "max_iterations must be"),
    "half a sweep": (lambda p, q: (p, q), {"max_iterations": 2.5}, "max_iterations must be"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line(what):
    change, options, message = BAD[what]
    p_mw, q_mvar = change(np.zeros((2, 33)), np.zeros((2, 33)))
    with refused(message):
        solve(case33(), p_mw, q_mvar, **options)


@pytest.mark.parametrize("batch", [1, 63, 64, 130, 1000])
def test_threads_share_the_batch_and_change_no_bit(batch):
    feeder = case33()
    factor = stream("threads of the power flow", batch).uniform(0.3, 1.5, (batch, feeder.num_buses))
    demand = feeder.load_mw * factor, feeder.load_mvar * factor
    alone, shared = solve(feeder, *demand), solve(feeder, *demand, threads=3)
    for name in ("voltage", "angle", "losses_mw", "converged", "iterations"):
        assert np.array_equal(getattr(alone, name), getattr(shared, name)), name


def test_threads_must_be_a_whole_number():
    feeder = case33()
    with pytest.raises(BadInput, match="threads must be a whole number >= 1, got 0"):
        solve(feeder, feeder.load_mw[None], feeder.load_mvar[None], threads=0)
