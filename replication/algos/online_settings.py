"""Settings of online discrete learning with replay: the offline learner without conservatism, fed as it plays."""

from typing import Literal, Self

import pydantic

from replication.algos.cql_settings import CQLSettings
from replication.settings import Settings, setting


class OnlineSettings(Settings):
    """Soft actor-critic or deep Q-learning of several agents while they play; times are in vector steps.

    A vector step is one step of all `envs` lanes of a seed. `learner.backbone` "sac" explores by drawing from its
    policy, "dqn" by random valid actions (ε-greedy, every agent on its own).
    """

    learner: CQLSettings = setting(
        CQLSettings(conservatism=0.0), "what is learned from the replay", origin="2501.12991, second hand"
    )
    envs: int = setting(64, "environment lanes per seed", origin="ours (A-240)", ge=1)
    warm_up: int = setting(
        500, "first steps, random among the valid actions and without updates", unit="vector step",
        origin="ours (A-241)", ge=1,
    )  # fmt: skip
    updates_per_step: int = setting(1, "updates after every vector step", origin="ours (A-240)", ge=1)
    capacity: int = setting(
        102_400, "transitions kept per seed, the oldest are overwritten", unit="transition", origin="ours (A-240)", ge=1
    )
    input_scaling: Literal["warm_up", "none"] = setting(
        "warm_up",
        "observations are standardised with their statistics in the warm-up, then fixed; or taken as they are",
        origin="ours (A-241)",
    )
    first_epsilon: float = setting(1.0, "dqn: first share of random actions", origin="ours (A-242)", ge=0, le=1)
    last_epsilon: float = setting(0.05, "dqn: last share of random actions", origin="ours (A-242)", ge=0, le=1)
    epsilon_steps: int = setting(
        5000, "dqn: steps after the warm-up in which the share falls linearly", unit="vector step",
        origin="ours (A-242)", ge=1,
    )  # fmt: skip

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.learner.backbone not in ("sac", "dqn"):
            raise ValueError(f"backbone must be sac or dqn to learn online, got {self.learner.backbone!r}")
        if self.capacity < self.envs:
            raise ValueError(f"capacity must be >= envs = {self.envs}, got {self.capacity}")
        return self

    def epsilon(self, step: int) -> float:
        """Share of random actions in step 0, 1, ...: 1 in the warm-up, then linear from the first to the last."""
        if step < self.warm_up:
            return 1.0
        share = min(1.0, (step - self.warm_up) / self.epsilon_steps)
        return self.first_epsilon + share * (self.last_epsilon - self.first_epsilon)
