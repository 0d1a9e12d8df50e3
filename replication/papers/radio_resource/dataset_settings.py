"""Settings of the radio paper's offline datasets, and the behaviours they may come from."""

from typing import Self

import pydantic

from replication.algos.online_settings import OnlineSettings
from replication.envs.radio_logs import REWARD_ONLY
from replication.envs.radio_settings import RadioSettings
from replication.settings import Settings, choose, setting

PARTS = ("random", "heuristic-mix", "sac-final", "sac-replay", "dqn-final", "dqn-replay")
TIERS = (*PARTS, "mixed")
FINALS, REPLAYS = ("sac-final", "dqn-final"), ("sac-replay", "dqn-replay")
BACKBONES = {tier: tier[:3] for tier in PARTS if tier.startswith(("sac", "dqn"))}


class DatasetSettings(Settings):
    """Which dataset: behaviour, size, world and seed."""

    tier: str = setting("random", "behaviour the data come from", origin="2501.12991, second hand; ours (A-262)")
    size: int = setting(640_000, "transitions, whole episodes", unit="TTI", origin="ours (A-262)", ge=1)
    pool: int | None = setting(
        None, "transitions collected at once, of which `size` are taken; learners play twice as many, and the second "
        "half counts; none: size", unit="TTI", origin="ours (A-262)", ge=1,
    )  # fmt: skip
    world: str = setting("radio/4x24", "access points and users", origin="ours (A-203)")
    environment: RadioSettings = setting(RadioSettings(), "network and reward", origin="2501.12991, second hand")
    seed: int = setting(0, "seed of behaviour policies, layouts and order", origin="ours (A-262)", ge=0)
    exploration: float = setting(0.1, "heuristic-mix: share of random valid actions", origin="ours (A-260)", ge=0, le=1)
    epsilon: float = setting(0.05, "dqn-final: share of random valid actions", origin="ours (A-260)", ge=0, le=1)
    online: OnlineSettings = setting(
        OnlineSettings(), "online learner behind the sac and dqn tiers; lanes and warm-up shrink with small pools",
        origin="ours (A-261)",
    )  # fmt: skip

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        choose("tier", self.tier, TIERS)
        horizon = self.environment.horizon
        for name, value in (("size", self.size), ("pool", self.collected)):
            if value % horizon:
                below, above = value // horizon * horizon, (value // horizon + 1) * horizon
                near = f"{below} or {above}" if below else f"{above}"
                raise ValueError(f"{name} must be a multiple of the horizon {horizon}, got {value}; give {near}")
        if self.size > self.collected:
            raise ValueError(f"size must be at most the pool's {self.collected}, got {self.size}; raise pool")
        return self

    @property
    def collected(self) -> int:
        """Transitions of the pool."""
        return self.size if self.pool is None else self.pool

    @property
    def episodes(self) -> int:
        """Episodes of the pool."""
        return self.collected // self.environment.horizon

    @property
    def logged(self) -> RadioSettings:
        """The settings steps are logged under: those that shape transitions, the reward being the default's."""
        kept = {n: v for n, v in self.environment.plain().items() if n not in REWARD_ONLY}
        return RadioSettings(**kept)
