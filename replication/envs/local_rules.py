"""Volt-var rules of single inverters, as functions of local voltages; shared by the controllers in the loop,
by the converged droop and by its tuning."""

from typing import Literal

import numpy as np

from replication.envs.feeder import Feeder
from replication.envs.grid_scenarios import Scenarios
from replication.envs.power_sensitivity import sensitivities
from replication.settings import Settings, setting

Base = Literal["rating", "capability"]

# Best rows that `python -m replication.envs.droop_tuning` prints, on training days at default settings: 192, 96 and 48
# windows on the three feeders. Other feeders take the values of case33. The criterion asks for no margin of stability;
# `loop_gain` tells how close a rule is to hunting.
TUNED: dict[str, dict[str, dict[str, float]]] = {
    "one update per step": {
        "case33": {"gain": 45.0, "dead_band": 0.02, "relaxation": 0.3},
        "case141": {"gain": 90.0, "dead_band": 0.0, "relaxation": 0.2},
        "case322": {"gain": 90.0, "dead_band": 0.01, "relaxation": 0.2},
    },
    "converged": {
        "case33": {"gain": 90.0, "dead_band": 0.03, "relaxation": 0.1},
        "case141": {"gain": 60.0, "dead_band": 0.0, "relaxation": 0.1},
        "case322": {"gain": 45.0, "dead_band": 0.0, "relaxation": 0.1},
    },
}


class DroopSettings(Settings):
    """A proportional rule q = gain x base x (1 - v), with a dead band around 1 p.u., reached step by step."""

    gain: float = setting(7.33, "q per voltage deviation, both per unit", origin="IEEE 1547-2018 Cat. B slope", ge=0)
    base: Base = setting("rating", "what the gain multiplies: S, or sqrt(S^2 - p^2)", origin="ours (A-41)")
    dead_band: float = setting(0.0, "half width without response", unit="p.u.", origin="MAPDN Matlab script", ge=0)
    relaxation: float = setting(0.5, "share of the way to the curve per update", origin="ours (A-41)", gt=0, le=1)


class TunedDroopSettings(Settings):
    """Droop with dead band; a value that is absent comes from `TUNED` for the feeder at hand."""

    gain: float | None = setting(None, "q per voltage deviation, both per unit", origin="ours (A-47)", ge=0)
    base: Base = setting("capability", "what the gain multiplies: S, or sqrt(S^2 - p^2)", origin="ours (A-47)")
    dead_band: float | None = setting(None, "half width without response", unit="p.u.", origin="ours (A-47)", ge=0)
    relaxation: float | None = setting(
        None, "share of the way to the curve per update", origin="ours (A-47)", gt=0, le=1
    )

    def rule(self, feeder: Feeder) -> DroopSettings:
        """The complete rule of one update per step."""
        return DroopSettings(**self._filled(feeder, "one update per step"))

    def converged_rule(self, feeder: Feeder) -> "ConvergedDroopSettings":
        """The complete rule of the droop iterated within a step."""
        return ConvergedDroopSettings(**self._filled(feeder, "converged"))

    def _filled(self, feeder: Feeder, kind: str) -> dict:
        given = {name: value for name, value in self.plain().items() if value is not None}
        return TUNED[kind].get(feeder.name, TUNED[kind]["case33"]) | given


class ConvergedDroopSettings(DroopSettings):
    """The droop iterated within a control step until voltages stand still."""

    gain: float = setting(20.0, "q per voltage deviation, both per unit", origin="MAPDN Matlab script", ge=0)
    base: Base = setting("capability", "what the gain multiplies: S, or sqrt(S^2 - p^2)", origin="MAPDN Matlab script")
    relaxation: float = setting(
        0.1, "share of the way to the curve per update", origin="MAPDN Matlab script", gt=0, le=1
    )
    updates: int = setting(100, "most power flows in a control step", origin="MAPDN Matlab script", ge=1)
    tolerance: float = setting(
        1e-4, "2-norm of the change of inverter voltages that ends the iteration", unit="p.u.",
        origin="MAPDN Matlab script", gt=0)  # fmt: skip
    full_range: bool = setting(
        False, "use the whole capability, as the Matlab script, not the learner's share c", origin="ours (A-42)"
    )


def droop_curve(settings: DroopSettings, voltage: np.ndarray, rating: np.ndarray, capability: np.ndarray) -> np.ndarray:
    """Reactive power [MVAr] the rule asks for at inverter voltages [p.u.]; shapes (..., a); not yet limited."""
    deviation = 1.0 - voltage
    beyond = np.sign(deviation) * np.maximum(np.abs(deviation) - settings.dead_band, 0.0)
    return settings.gain * (rating if settings.base == "rating" else capability) * beyond


def converged_droop(
    scenarios: Scenarios, settings: ConvergedDroopSettings, bound: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Reactive powers at which the droop rule (nearly) stands still, each scenario on its own.

    Source: MAPDN Matlab script: q <- (1 - relaxation) q + relaxation curve(v) from q = 0, until the 2-norm of the
    change of inverter voltages falls below the tolerance, at most `updates` power flows.

    Args:
        scenarios: B scenarios.
        settings: the rule; `full_range` lifts the bound to 1.
        bound: usable share of the capability; the feeder's own if absent.

    Returns:
        (B, a) reactive powers [MVAr] and (B,) number of power flows used.
    """
    feeder, capability = scenarios.feeder, scenarios.capability
    share = 1.0 if settings.full_range else feeder.action_bound if bound is None else bound
    limit = share * capability
    q, flows = np.zeros_like(capability), np.zeros(len(scenarios), dtype=np.int64)
    last = np.full_like(capability, np.inf)
    rows = np.arange(len(scenarios))
    for _ in range(settings.updates):
        voltage = scenarios.take(rows).flow(q[rows]).voltage[:, feeder.pv_bus]
        flows[rows] += 1
        moving = np.linalg.norm(voltage - last[rows], axis=1) >= settings.tolerance
        last[rows] = voltage
        rows, voltage = rows[moving], voltage[moving]
        if not len(rows):
            break
        wanted = droop_curve(settings, voltage, feeder.pv_mva, capability[rows])
        wanted = np.clip(wanted, -limit[rows], limit[rows])
        q[rows] += settings.relaxation * (wanted - q[rows])
    return q, flows


def loop_gain(feeder: Feeder, gain: float, voltage: np.ndarray | None = None, angle: np.ndarray | None = None) -> float:
    """Spectral radius of K S_x: how strongly a fleet of droops answers its own effect on the voltages.

    K = gain x rating [MVAr per p.u.] on the diagonal, S_x = dv/dq between inverter buses [p.u. per MVAr], taken at
    the unloaded feeder (where it equals the LinDistFlow sensitivity, the reactance of the shared path) or at one
    solved power flow (n,). One update per step with relaxation w is stable if w < 2 / (1 + loop gain).
    """
    flat = np.ones((1, feeder.num_buses))
    magnitude = flat if voltage is None else np.asarray(voltage)[None]
    phase = 0.0 * flat if angle is None else np.asarray(angle)[None]
    slopes, _ = sensitivities(feeder, magnitude, phase)
    response = gain * feeder.pv_mva[:, None] * slopes[0, feeder.pv_bus]
    return float(np.abs(np.linalg.eigvals(response)).max())
