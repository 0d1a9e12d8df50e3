"""Settings of the adaptation experiment: a trained team, what suddenly changes, and how the others respond."""

from typing import Any, Literal, Self

import pydantic

from replication.algos.team_settings import TeamSettings
from replication.papers.optimal_transport.study_teams import NavigationStudy
from replication.settings import setting

SHIFTS = "2401.10949, non-stationarity"

ChangeName = Literal["nothing", "partner", "mirrored", "random", "no operation", "drift", "damping", "weak"]
ResponseName = Literal[
    "none", "higher rate", "rate up", "rate down", "known time", "reset optimiser", "aligned to the past",
    "aligned anew", "aligned no more",
]  # fmt: skip
DistanceName = Literal["sliced", "mean_discrepancy", "gaussian_divergence", "page_hinkley"]

REPLACED = ("partner", "mirrored", "random", "no operation", "drift")  # agent 0 is no longer itself
OTHER_WORLDS: dict[str, dict[str, Any]] = {"damping": {"damping": 0.5}, "weak": {"sensitivity": [3.0]}}


class GrownStudy(NavigationStudy):
    """A team trained until its score no longer rises much, and kept."""

    learner: TeamSettings = setting(TeamSettings(), "learner of the team", origin=f"{SHIFTS}; ours (A-316)")
    updates: int = setting(264, "updates while the learning rate falls", unit="update", origin="ours (A-384)", ge=1)
    plateau: int = setting(
        36, "further updates at the last learning rate: what is usual before the change", unit="update",
        origin="ours (A-384)", ge=1,
    )  # fmt: skip


class AdaptationStudy(GrownStudy):
    """After the plateau something changes at once; the others learn on, and respond or not."""

    change: ChangeName = setting(
        "partner",
        "what happens to agent 0: partner: it becomes the member of another team that fits least; mirrored: its pushes "
        "are reversed; random, no operation: it acts so; drift: its weights move evenly to that member's. Or to the "
        "world: damping 0.25 to 0.5, weak: force 5 to 3. Or nothing",
        origin=f"{SHIFTS}; ours (A-380, A-385)",
    )
    response: ResponseName = setting(
        "none",
        "none: the last learning rate goes on; higher rate: `most` times it; rate up, rate down: times or divided by "
        "1 + gain * distance; known time: `most` times it at once, then falling; reset optimiser: moments forgotten; "
        "aligned ...: a team trained with alignment keeps it with the potentials from before the change, renews them, "
        "or stops aligning",
        origin=f"{SHIFTS}: the sign is left open; ours (A-381)",
    )
    distance: DistanceName = setting(
        "sliced", "what the distance between recent and earlier behaviour is; the last is of returns", origin=SHIFTS
    )
    adaptation: int = setting(75, "updates after the change", unit="update", origin="ours (A-384)", ge=1)
    look_every: int = setting(3, "updates between two looks", unit="update", origin="ours (A-384)", ge=1)
    validation_episodes: int = setting(
        100, "episodes of every seed at each look", unit="episode", origin="ours (A-360)", ge=1
    )

    recent: int = setting(2, "updates whose behaviour is compared", unit="update", origin="ours (A-382)", ge=1)
    reference: int = setting(
        5, "updates with which they are compared, those at the beginning of the plateau", unit="update",
        origin="ours (A-382)", ge=2,
    )  # fmt: skip
    moving: bool = setting(
        False, "the reference moves along, just before what is compared with it: W(P_t, P_t-1)", origin=SHIFTS
    )
    false_alarms: float = setting(
        0.05,
        "share of the windows before the change that exceed the distance's unit",
        origin="ours (A-382)",
        ge=0,
        lt=1,
    )
    gain: float = setting(3.0, "b of 1 + b d: change of the learning rate per unit of distance", origin="ours (A-383)",
                          gt=0)  # fmt: skip
    most: float = setting(20.0, "largest factor on the learning rate", origin="ours (A-383)", ge=1)
    fading: int = setting(
        50, "updates over which the rate falls back if the time is known", unit="update", origin="ours (A-383)", ge=1
    )

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.change in REPLACED and self.learner.nets != "independent":
            raise ValueError(
                f"change {self.change!r} needs a net per agent, nets 'independent', got {self.learner.nets!r}"
            )
        if self.response.startswith("aligned") and not self.learner.alignment.active:
            raise ValueError(f"response {self.response!r} needs a learner with alignment, got kind 'none'")
        if self.plateau < self.reference + self.recent:
            raise ValueError(
                f"plateau must be >= reference + recent = {self.reference + self.recent}, got {self.plateau}"
            )
        if self.adaptation % self.look_every:
            raise ValueError(f"adaptation must be a multiple of look_every {self.look_every}, got {self.adaptation}")
        return self
