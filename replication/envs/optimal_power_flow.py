"""AC optimal power flow in the inverters' reactive powers, for many scenarios at once.

    minimise total losses  subject to  v_min <= v_k <= v_max at every bus but the slack,  |q_i| <= c capability_i

Losses decide because active powers are given: this is the optimal power flow of the MAPDN comparison
(2110.14300 section 5, all generator costs equal), there in MATPOWER with c = 1. Each scenario runs its own
sequential quadratic programming on exact power flows and exact derivatives: a Gauss-Newton model of the losses,
linear voltages, a trust region, and an elastic voltage band whose largest excess t is priced, so that a scenario
without any feasible dispatch ends at (nearly) the least largest violation.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from replication.envs.grid_scenarios import Scenarios
from replication.envs.power_sensitivity import Branches, branches, loss_model, voltage_slopes
from replication.envs.quadratic_program import solve_quadratic
from replication.settings import BadInput, Settings, setting

_CHUNK = 4096  # scenarios worked on together, bounds memory


class OptimalPowerFlowSettings(Settings):
    """Settings of the optimal power flow."""

    v_min: float = setting(0.95, "lower edge of the band", unit="p.u.", origin="2110.14300 §3", gt=0)
    v_max: float = setting(1.05, "upper edge of the band", unit="p.u.", origin="2110.14300 §3", gt=0)
    margin: float = setting(
        1e-5, "distance kept from the edges, so that rounding does not decide who is inside", unit="p.u.",
        origin="ours (A-40)", ge=0)  # fmt: skip
    tolerance: float = setting(1e-7, "scaled KKT residual at which a scenario is solved", origin="ours (A-40)", gt=0)
    max_iterations: int = setting(60, "most quadratic programs per scenario", origin="ours (A-40)", ge=1)
    flow_tolerance: float = setting(1e-10, "voltage tolerance of power flows", unit="p.u.", origin="ours (A-40)", gt=0)


@dataclass(frozen=True, eq=False)
class Dispatch:
    """Reactive powers and what is known about them, B scenarios."""

    q_mvar: np.ndarray  # (B, a) injected [MVAr]
    loss_mw: np.ndarray  # (B,) total losses, transformers and shunts included [MW]
    kkt_residual: np.ndarray  # (B,) scaled, see `optimal_dispatch`
    feasible: np.ndarray  # (B,) bool: every bus inside the band, to the margin or 1e-6 p.u.
    iterations: np.ndarray  # (B,) quadratic programs solved


def optimal_dispatch(
    scenarios: Scenarios,
    *,
    bound: float | None = None,
    settings: OptimalPowerFlowSettings | None = None,
    start: np.ndarray | None = None,
) -> Dispatch:
    """Loss-minimal reactive powers within voltage limits.

    Args:
        scenarios: loads and PV.
        bound: c, the usable share of the momentary capability; the feeder's own if absent.
        settings: limits and tolerances.
        start: (B, a) first guess [MVAr]; zero if absent.

    Returns:
        `Dispatch`. The KKT residual is the largest of stationarity / (1 + largest multiplier) [MW/MVAr],
        complementarity / (1 + largest multiplier) and, where feasible, the excess over the band [p.u.]; dual
        signs hold exactly. Where the band cannot be kept, it is the residual of the elastic problem.

    Raises:
        BadInput: a bound outside (0, 1], limits in the wrong order, or a start of the wrong shape.
    """
    chosen = settings or OptimalPowerFlowSettings()
    share = scenarios.feeder.action_bound if bound is None else bound
    if not 0 < share <= 1:
        raise BadInput(f"bound must lie in (0, 1], got {share}")
    if chosen.v_min + chosen.margin >= chosen.v_max - chosen.margin:
        raise BadInput(f"v_min must be below v_max by two margins, got {chosen.v_min}, {chosen.v_max}, {chosen.margin}")
    first = np.zeros_like(scenarios.pv_mw) if start is None else np.asarray(start, dtype=np.float64)
    if first.shape != scenarios.pv_mw.shape:
        raise BadInput(f"start must have shape {scenarios.pv_mw.shape} (scenario, agent), got {first.shape}")
    parts = [
        _solve_chunk(scenarios.take(rows), share, chosen, first[rows])
        for rows in (slice(begin, begin + _CHUNK) for begin in range(0, max(len(scenarios), 1), _CHUNK))
    ]
    return Dispatch(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _solve_chunk(scenarios: Scenarios, share: float, settings: OptimalPowerFlowSettings, start: np.ndarray):
    """Sequential quadratic programming; scenarios leave the loop one by one. Fields of `Dispatch` in order."""
    net = branches(scenarios.feeder)
    limit = share * scenarios.capability
    search = _Search(scenarios, np.clip(start, -limit, limit), settings)
    open_rows = np.flatnonzero(np.isfinite(search.loss))
    for _ in range(settings.max_iterations):
        step, model = search.propose(net, open_rows, limit)
        unsolved = (search.residual[open_rows] > settings.tolerance) & (search.radius[open_rows] > 1e-9)
        open_rows = open_rows[unsolved]
        if not len(open_rows):
            break
        search.move(open_rows, step[unsolved], model[unsolved])
    feasible = search.excess <= max(settings.margin, 1e-6)
    return search.q, search.loss, search.residual, feasible, search.iterations


class _Search:
    """Current dispatches, their power flows, trust radii and prices of the voltage excess."""

    def __init__(self, scenarios: Scenarios, q: np.ndarray, settings: OptimalPowerFlowSettings) -> None:
        self.scenarios, self.settings, self.q = scenarios, settings, q
        count, rating = len(scenarios), float(scenarios.feeder.pv_mva.sum())
        self.residual = np.full(count, np.inf)
        self.radius = np.full(count, 0.5)  # share of the rating one step may change
        self.price = np.full(count, rating)  # [MW/p.u.]
        self.highest_price = 1e3 * rating
        self.band = (settings.v_min + settings.margin, settings.v_max - settings.margin)
        self.iterations = np.zeros(count, dtype=np.int64)
        self.phasors, self.loss, self.excess = self._evaluate(np.arange(count), q)

    def _evaluate(self, rows: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Phasors, total loss [MW] and largest excess over the band [p.u.]; infinite where no solution exists."""
        flow = self.scenarios.take(rows).flow(q, tol=self.settings.flow_tolerance)
        over = np.maximum(flow.voltage - self.band[1], self.band[0] - flow.voltage)[:, 1:].max(axis=1)
        loss = np.where(flow.converged, flow.losses_mw.sum(axis=1), np.inf)
        excess = np.where(flow.converged, np.maximum(over, 0.0), np.inf)
        return flow.voltage * np.exp(1j * flow.angle), loss, excess

    def propose(self, net: Branches, rows: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps (k, a) and modelled gains (k,) of the quadratic programs; updates residuals and prices."""
        step, gain, residual = np.zeros((len(rows), net.pv_bus.size)), np.zeros(len(rows)), np.zeros(len(rows))
        price, radius = self.price[rows], self.radius[rows, None] * self.scenarios.feeder.pv_mva
        band = (*self.band, self.highest_price)
        _propose(net, self.phasors[rows], self.q[rows], limit[rows], radius, price, band, step, gain, residual)
        self.price[rows], self.residual[rows] = price, residual
        self.iterations[rows] += 1
        return step, gain

    def move(self, rows: np.ndarray, step: np.ndarray, gain: np.ndarray) -> None:
        """Take the steps that lower loss + price x excess, and adapt the trust radii."""
        trial = self.q[rows] + step
        phasors, loss, excess = self._evaluate(rows, trial)
        before = self.loss[rows] + self.price[rows] * self.excess[rows]
        after = loss + self.price[rows] * excess
        with np.errstate(invalid="ignore"):
            ratio = (before - after) / np.maximum(gain, 1e-14)
        better = (ratio > 1e-4) | ((gain < 1e-9) & (excess <= self.excess[rows] + 1e-9) & np.isfinite(after))
        self.radius[rows] *= np.where(better, np.where(ratio > 0.5, 2.0, 1.0), 0.25)
        self.radius[rows] = np.minimum(self.radius[rows], 2.0)
        taken = rows[better]
        self.q[taken], self.phasors[taken] = trial[better], phasors[better]
        self.loss[taken], self.excess[taken] = loss[better], excess[better]


@njit(cache=True)
def _voltage_rows(voltage, slopes, reach, band, rows, bounds, first):
    """Append the linearised limits of all buses that the step can bring to a limit; returns the number of rows."""
    v_min, v_max, _ = band
    agents, m = slopes.shape[0], first
    for k in range(1, voltage.shape[0]):
        size = abs(voltage[k])
        unit, possible = np.conj(voltage[k]) / size, 0.0
        for i in range(agents):
            possible += abs((unit * slopes[i, k]).real) * reach[i]
        for sign in (-1.0, 1.0):  # -1: upper limit, +1: lower limit
            room = v_max - size if sign < 0 else size - v_min
            if possible < room:
                continue
            for i in range(agents):
                rows[m, i] = sign * (unit * slopes[i, k]).real
            rows[m, agents] = 1.0
            bounds[m] = -room
            m += 1
    return m


@njit(cache=True)
def _box_rows(q, limit, radius, rows, bounds, reach):
    """Bounds of each step as two rows per agent and one for the excess; `reach` gets the longest step."""
    agents = len(q)
    rows[: 2 * agents + 1] = 0.0
    for i in range(agents):
        rows[2 * i, i], rows[2 * i + 1, i] = 1.0, -1.0
        bounds[2 * i] = max(-limit[i] - q[i], -radius[i])
        bounds[2 * i + 1] = -min(limit[i] - q[i], radius[i])
        reach[i] = max(-bounds[2 * i], -bounds[2 * i + 1])
    rows[2 * agents, agents] = 1.0
    bounds[2 * agents] = 0.0
    return 2 * agents + 1


@njit(cache=True)
def _residual(gradient, rows, bounds, multipliers, q, limit, excess, price):
    """Scaled KKT residual of the elastic problem at the current point (step zero, excess t)."""
    agents, largest, complementarity, spent = len(q), 0.0, 0.0, 0.0
    stationarity = gradient[:agents].copy()
    for i in range(agents):  # only true bounds count, the trust region does not
        lower, upper = limit[i] + q[i], limit[i] - q[i]
        below = multipliers[2 * i] if -bounds[2 * i] >= lower else 0.0
        above = multipliers[2 * i + 1] if -bounds[2 * i + 1] >= upper else 0.0
        stationarity[i] -= below - above
        largest = max(largest, below, above)
        complementarity = max(complementarity, below * lower, above * upper)
    for m in range(2 * agents + 1, len(bounds)):
        for i in range(agents):
            stationarity[i] -= multipliers[m] * rows[m, i]
        largest = max(largest, multipliers[m])
        complementarity = max(complementarity, multipliers[m] * abs(excess - bounds[m]))
        spent += multipliers[m]
    complementarity = max(complementarity, max(price - spent, 0.0) * excess)
    return max(np.max(np.abs(stationarity)), complementarity) / (1.0 + largest), spent


@njit(cache=True)
def _propose(net, phasors, q, limit, radius, price, band, steps, gains, residuals):
    """One quadratic program per scenario, in (step, excess t); raises the price where it is nearly spent."""
    n, agents = len(net.parent), len(net.pv_bus)
    current, inverse = np.empty(n, dtype=np.complex128), np.empty((n, 4))
    slopes = np.empty((agents, n), dtype=np.complex128)
    gradient, hessian = np.empty(agents + 1), np.zeros((agents + 1, agents + 1))
    rows, bounds = np.empty((2 * agents + 1 + 2 * n, agents + 1)), np.empty(2 * agents + 1 + 2 * n)
    x, multipliers, reach = np.empty(agents + 1), np.empty(len(bounds)), np.empty(agents)
    for s in range(len(q)):
        voltage_slopes(net, phasors[s], current, inverse, slopes)
        loss_model(net, phasors[s], slopes, gradient, hessian)
        trace = 0.0
        for i in range(agents):
            trace += hessian[i, i]
        for i in range(agents):
            hessian[i, i] += 1e-8 * trace / agents
        gradient[agents], hessian[agents, agents] = price[s], price[s]
        m = _box_rows(q[s], limit[s], radius[s], rows, bounds, reach)
        m = _voltage_rows(phasors[s], slopes, reach, band, rows, bounds, m)
        excess = 0.0
        for k in range(1, n):
            excess = max(excess, abs(phasors[s, k]) - band[1], band[0] - abs(phasors[s, k]))
        if not solve_quadratic(hessian, gradient, rows[:m], bounds[:m], 1e-11, x, multipliers[:m]):
            x[:] = 0.0
        residuals[s], spent = _residual(
            gradient, rows[:m], bounds[:m], multipliers[:m], q[s], limit[s], excess, price[s]
        )
        steps[s] = x[:agents]
        gains[s] = price[s] * (excess - x[agents])
        for i in range(agents):
            gains[s] -= gradient[i] * x[i]
            for j in range(agents):
                gains[s] -= 0.5 * hessian[i, j] * x[i] * x[j]
        if spent > 0.5 * price[s]:
            price[s] = min(10.0 * price[s], band[2])
