"""What the reward asks for: a per-step search of the reactive powers with the best reward.

The reward is neither smooth (|q|, the jump of the Bowl) nor concave, so this is a pattern search from several
starts. It only compares true power flows: whatever it returns is reachable, a lower bound on the optimum.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from replication.envs.grid_scenarios import Scenarios
from replication.envs.local_rules import ConvergedDroopSettings, converged_droop
from replication.envs.optimal_power_flow import optimal_dispatch
from replication.envs.voltage_control import VoltageControlSettings, reward_of
from replication.settings import Settings, setting

_ROWS = 32768  # power flows solved in one call, bounds memory


class RewardSearchSettings(Settings):
    """Settings of the reward search."""

    first_step: float = setting(0.25, "first step of a coordinate", unit="bound", origin="ours (A-46)", gt=0, le=1)
    last_step: float = setting(1 / 512, "step at which a coordinate rests", unit="bound", origin="ours (A-46)", gt=0)
    sweeps: int = setting(40, "most sweeps over all coordinates", origin="ours (A-46)", ge=1)
    pair_rounds: int = setting(3, "rounds over all pairs of agents", origin="ours (A-46)", ge=0)


@dataclass(frozen=True, eq=False)
class Found:
    """Best dispatches found."""

    q_mvar: np.ndarray  # (B, a) [MVAr]
    reward: np.ndarray  # (B,) reward of one step
    start: np.ndarray  # (B,) index into `STARTS` of the start the best came from


STARTS = ("none", "converged droop", "converged droop with dead band", "optimal power flow")


def step_reward(scenarios: Scenarios, world: VoltageControlSettings, q_mvar: np.ndarray) -> np.ndarray:
    """(B,) reward of one step of the world with reactive powers (B, a) [MVAr]; -inf where no power flow exists."""
    parts = []
    for begin in range(0, len(scenarios), _ROWS):
        rows = slice(begin, begin + _ROWS)
        flow = scenarios.take(rows).flow(q_mvar[rows])
        line_loss = flow.losses_mw[:, scenarios.feeder.is_line].sum(axis=1)
        reward = reward_of(world, flow.voltage, q_mvar[rows], line_loss, scenarios.feeder.pv_mva)
        parts.append(np.where(flow.converged, reward, -np.inf))
    return np.concatenate(parts) if parts else np.zeros(0)


def reward_search(
    scenarios: Scenarios,
    world: VoltageControlSettings,
    *,
    bound: float | None = None,
    settings: RewardSearchSettings | None = None,
) -> Found:
    """Search the best reward of every scenario within |q| <= bound x capability.

    Args:
        scenarios: B loads and PV.
        world: settings that fix the reward (barrier and prices).
        bound: c; the feeder's own if absent.
        settings: effort of the search.

    Returns:
        `Found`: every start is polished along coordinates, the best one also along pairs of agents.
    """
    chosen = settings or RewardSearchSettings()
    limit = (scenarios.feeder.action_bound if bound is None else bound) * scenarios.capability
    best = _Candidate(scenarios, world, limit, np.zeros_like(limit))
    origin = np.zeros(len(scenarios), dtype=np.int64)
    best.along_coordinates(chosen)
    for number, start in enumerate(_other_starts(scenarios, bound), 1):
        rival = _Candidate(scenarios, world, limit, np.clip(start, -limit, limit))
        rival.along_coordinates(chosen)
        origin[best.take_better(rival)] = number
    best.along_pairs(chosen)
    return Found(best.q, best.reward, origin)


def _other_starts(scenarios: Scenarios, bound: float | None) -> list[np.ndarray]:
    plain = converged_droop(scenarios, ConvergedDroopSettings(), bound)[0]
    wide = converged_droop(scenarios, ConvergedDroopSettings(gain=60.0, dead_band=0.035), bound)[0]
    return [plain, wide, optimal_dispatch(scenarios, bound=bound).q_mvar]


class _Candidate:
    """One dispatch per scenario, and the moves that improve it."""

    def __init__(self, scenarios: Scenarios, world: Any, limit: np.ndarray, q: np.ndarray) -> None:
        self.scenarios, self.world, self.limit, self.q = scenarios, world, limit, q.copy()
        self.reward = step_reward(scenarios, world, self.q)

    def take_better(self, rival: "_Candidate") -> np.ndarray:
        """Take over the rival's dispatch where it is better; returns that mask."""
        better = rival.reward > self.reward
        self.q[better], self.reward[better] = rival.q[better], rival.reward[better]
        return better

    def try_moves(self, rows: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Try k moves (R, k, a) [MVAr] of the scenarios `rows` (R,); keep the best; True where it improved."""
        count = moves.shape[1]
        trial = np.clip(self.q[rows, None] + moves, -self.limit[rows, None], self.limit[rows, None])
        flat = trial.reshape(-1, trial.shape[2])
        reward = step_reward(self.scenarios.take(np.repeat(rows, count)), self.world, flat).reshape(-1, count)
        chosen = reward.argmax(axis=1)
        found = reward[np.arange(len(rows)), chosen]
        better = found > self.reward[rows] + 1e-12
        kept = rows[better]
        self.q[kept] = trial[better, chosen[better]]
        self.reward[kept] = found[better]
        return better

    def along_coordinates(self, settings: RewardSearchSettings) -> None:
        """Sweep over the agents: one step up, one step down, or to zero; steps grow on success, shrink on failure."""
        agents = self.limit.shape[1]
        step = np.full(self.limit.shape, settings.first_step)
        for _ in range(settings.sweeps):
            if not np.any(step >= settings.last_step):
                break
            for agent in range(agents):
                rows = np.flatnonzero(step[:, agent] >= settings.last_step)
                if not len(rows):
                    continue
                moves = np.zeros((len(rows), 3, agents))
                size = step[rows, agent] * self.limit[rows, agent]
                moves[:, 0, agent], moves[:, 1, agent] = size, -size
                moves[:, 2, agent] = -self.q[rows, agent]
                better = self.try_moves(rows, moves)
                step[rows, agent] = np.where(better, np.minimum(1.5 * step[rows, agent], 0.5), 0.4 * step[rows, agent])

    def along_pairs(self, settings: RewardSearchSettings) -> None:
        """Move two agents at once, along or against each other, where single moves are stuck at a kink."""
        agents = self.limit.shape[1]
        rows = np.arange(len(self.q))
        for _ in range(settings.pair_rounds):
            moved = np.zeros(len(rows), dtype=bool)
            for i in range(agents):
                for j in range(i + 1, agents):
                    moved |= self.try_moves(rows, self._pair_moves(rows, i, j))
            rows = rows[moved]

    def _pair_moves(self, rows: np.ndarray, i: int, j: int) -> np.ndarray:
        """(R, 36, a) moves of agents i and j: six sizes times six ratios."""
        sizes = np.array([0.1, 0.03, 0.01, -0.1, -0.03, -0.01])
        ratios = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
        scale = np.minimum(self.limit[rows, i], self.limit[rows, j])[:, None]
        moves = np.zeros((len(rows), len(sizes) * len(ratios), self.limit.shape[1]))
        moves[:, :, i] = scale * np.repeat(sizes, len(ratios))
        moves[:, :, j] = moves[:, :, i] * np.tile(ratios, len(sizes))
        return moves
