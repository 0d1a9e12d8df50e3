"""Scripted controllers of the voltage-control world: local rules, and oracles that see the next samples.

All act under the learner's bound: actions in [-c, c] of the momentary capability sqrt(S^2 - p^2). A rule that asks for
a set-point in MVAr is delivered by the inverter as such: the inverter knows its own momentary capability.
"""

import math
from typing import Any, ClassVar

import numpy as np
from numba import njit

from replication.envs import grid_scenarios
from replication.envs.local_rules import (
    ConvergedDroopSettings,
    DroopSettings,
    TunedDroopSettings,
    converged_droop,
    droop_curve,
)
from replication.envs.optimal_power_flow import OptimalPowerFlowSettings, optimal_dispatch
from replication.envs.reward_search import RewardSearchSettings, reward_search
from replication.seeding import mix, uniform
from replication.settings import BadInput, Settings, choose, setting


class Controller:
    """What every controller offers: `reset(world)` at the start of episodes, `act(world)` before each step."""

    settings_class: ClassVar[type[Settings]] = Settings

    def __init__(self, world: Any, settings: Any) -> None:
        self.settings = settings
        self.bound = float(world.action_high)

    def reset(self, world: Any) -> None:
        """Forget earlier episodes. Local rules start from the world's reactive powers, so nothing is kept here."""

    def act(self, world: Any) -> np.ndarray:
        """(E, A, 1) actions in [-c, c] for the next step of every lane."""
        return self.as_action(world, self.reactive_power(world))

    def reactive_power(self, world: Any) -> np.ndarray:
        """(E, A) set-points [MVAr], before the bound."""
        raise TypeError(f"{type(self).__name__} chooses actions directly")

    def as_action(self, world: Any, q_mvar: np.ndarray) -> np.ndarray:
        """Set-points (E, A) [MVAr] as bounded shares (E, A, 1) of the next capability; 0 where there is none."""
        capability = world.next_capability
        share = np.divide(q_mvar, capability, out=np.zeros_like(capability), where=capability > 0)
        return np.clip(share, -self.bound, self.bound)[:, :, None]


class NoControl(Controller):
    """q = 0: inverters at unity power factor."""

    def reactive_power(self, world: Any) -> np.ndarray:
        return np.zeros((world.num_envs, world.num_agents))


class RandomSettings(Settings):
    """Settings of the random controller."""

    seed: int = setting(0, "which random sequence", origin="ours (A-43)", ge=0)


class RandomControl(Controller):
    """Actions uniform in [-c, c], a pure function of seed, episode key, step and agent."""

    settings_class = RandomSettings

    def act(self, world: Any) -> np.ndarray:
        actions = np.empty((world.num_envs, world.num_agents, 1))
        _fill_uniform(world.lane_keys, world.lane_steps, self.settings.seed, self.bound, actions)
        return actions


@njit(cache=True)
def _fill_uniform(keys, steps, seed, bound, actions):
    salt = mix(np.uint64(seed) + np.uint64(0x636F6E74726F6C))  # keeps clear of the world's own draws
    for lane in range(actions.shape[0]):
        for agent in range(actions.shape[1]):
            actions[lane, agent, 0] = bound * (2.0 * uniform(keys[lane] ^ salt, steps[lane], agent) - 1.0)


class PowerFactorSettings(Settings):
    """Settings of the constant power factor."""

    power_factor: float = setting(0.95, "cos(phi), absorbing", origin="ours (A-44): VDE-AR-N 4105", gt=0, le=1)


class ConstantPowerFactor(Controller):
    """q = -tan(phi) p: absorbs in proportion to the momentary PV power."""

    settings_class = PowerFactorSettings

    def reactive_power(self, world: Any) -> np.ndarray:
        return -math.tan(math.acos(self.settings.power_factor)) * world.next_pv_mw


class Droop(Controller):
    """One update per step from the last voltage: q <- q + relaxation (curve(v) - q), curve limited to the bound."""

    settings_class: ClassVar[type[Settings]] = DroopSettings

    def reactive_power(self, world: Any) -> np.ndarray:
        limit = self.bound * world.next_capability
        wanted = np.clip(self.curve(world), -limit, limit)
        now = world.q_mvar
        return now + self.settings.relaxation * (wanted - now)

    def curve(self, world: Any) -> np.ndarray:
        """(E, A) reactive power [MVAr] the curve asks for at the last voltages."""
        voltage = world.voltage[:, world.feeder.pv_bus]
        return droop_curve(self.settings, voltage, world.feeder.pv_mva, world.next_capability)


class DroopDeadBand(Droop):
    """Droop with dead band; what is not given is what the tuning on training days chose."""

    settings_class = TunedDroopSettings

    def __init__(self, world: Any, settings: TunedDroopSettings) -> None:
        super().__init__(world, settings.rule(world.feeder))


class Ieee1547Settings(Settings):
    """IEEE 1547-2018 category B volt-var defaults."""

    v_low: float = setting(0.92, "voltage of full injection", unit="p.u.", origin="IEEE 1547-2018 Cat. B", gt=0)
    v_dead_low: float = setting(0.98, "lower edge of the dead band", unit="p.u.", origin="IEEE 1547-2018 Cat. B", gt=0)
    v_dead_high: float = setting(1.02, "upper edge of the dead band", unit="p.u.", origin="IEEE 1547-2018 Cat. B", gt=0)
    v_high: float = setting(1.08, "voltage of full absorption", unit="p.u.", origin="IEEE 1547-2018 Cat. B", gt=0)
    q_max: float = setting(0.44, "largest reactive power", unit="S", origin="IEEE 1547-2018 Cat. B", gt=0, le=1)
    relaxation: float = setting(0.5, "share of the way to the curve per control step", origin="ours (A-45)", gt=0, le=1)


class Ieee1547(Droop):
    """Volt-var default of IEEE 1547-2018 category B, one update per step.

    The standard's open-loop response of 5 s settles within a 3-min step, so the fleet would reach the
    equilibrium of all curves. One update per step only reaches it over some steps; with relaxation 1 it would hunt
    wherever the loop gain of the slope 7.33 exceeds 1, with 0.5 up to 3 (see `local_rules.loop_gain`).
    """

    settings_class = Ieee1547Settings

    def __init__(self, world: Any, settings: Ieee1547Settings) -> None:
        super().__init__(world, settings)
        self.corners = [settings.v_low, settings.v_dead_low, settings.v_dead_high, settings.v_high]
        if np.any(np.diff(self.corners) <= 0):
            raise BadInput(f"the corners of the volt-var curve must rise, got {self.corners}")

    def curve(self, world: Any) -> np.ndarray:
        largest = self.settings.q_max
        share = np.interp(world.voltage[:, world.feeder.pv_bus], self.corners, [largest, 0.0, 0.0, -largest])
        return share * world.feeder.pv_mva


class DroopConverged(Controller):
    """Droop iterated to its equilibrium on the samples the action will meet (MAPDN's Matlab baseline)."""

    settings_class: ClassVar[type[Settings]] = ConvergedDroopSettings

    def __init__(self, world: Any, settings: ConvergedDroopSettings) -> None:
        super().__init__(world, settings)
        _check_full_range(settings.full_range, self.bound)

    def reactive_power(self, world: Any) -> np.ndarray:
        return converged_droop(grid_scenarios.of_world(world), self.settings, self.bound)[0]


class DroopConvergedDeadBand(DroopConverged):
    """Converged droop with dead band; what is not given is what the tuning on training days chose."""

    settings_class = TunedDroopSettings

    def __init__(self, world: Any, settings: TunedDroopSettings) -> None:
        super().__init__(world, settings.converged_rule(world.feeder))


class OptimalPowerFlow(Controller):
    """Loss-minimal reactive powers within voltage limits for the samples the action will meet."""

    settings_class = OptimalPowerFlowSettings

    def reactive_power(self, world: Any) -> np.ndarray:
        return optimal_dispatch(grid_scenarios.of_world(world), bound=self.bound, settings=self.settings).q_mvar


class RewardSearch(Controller):
    """The best reward found for the samples the action will meet, with the world's own reward."""

    settings_class = RewardSearchSettings

    def reactive_power(self, world: Any) -> np.ndarray:
        scenarios = grid_scenarios.of_world(world)
        return reward_search(scenarios, world.settings, bound=self.bound, settings=self.settings).q_mvar


def _check_full_range(full_range: bool, bound: float) -> None:
    if full_range and bound < 1.0:
        raise BadInput(f"full_range needs a world with action bound 1, got {bound}; use a feeder with action_bound=1")


CONTROLLERS: dict[str, type[Controller]] = {
    "none": NoControl,
    "random": RandomControl,
    "constant_power_factor": ConstantPowerFactor,
    "droop": Droop,
    "droop_dead_band": DroopDeadBand,
    "droop_converged": DroopConverged,
    "droop_converged_dead_band": DroopConvergedDeadBand,
    "ieee1547": Ieee1547,
    "opf": OptimalPowerFlow,
    "reward_search": RewardSearch,
}


def make_controller(world: Any, name: str, **settings: Any) -> Controller:
    """Controller `name` of `CONTROLLERS` for a voltage-control world.

    Raises:
        BadInput: unknown controller, unknown setting, or a value out of range.
    """
    kind = CONTROLLERS[choose("controller", name, CONTROLLERS)]
    return kind(world, kind.settings_class(**settings))
