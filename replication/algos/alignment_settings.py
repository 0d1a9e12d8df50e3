"""Settings of alignment between the members of a team: what is drawn together, how strongly, and its placebos."""

from typing import Literal, Self

import pydantic

from replication.algos.transport_settings import TransportSettings
from replication.settings import Settings, setting

PAPER = "2401.10949"
Kind = Literal[
    "none",
    "ot_action",
    "ot_barycenter",
    "ot_episode",
    "kl",
    "tv",
    "parameter_average",
    "diversity",
    "ot_potential",
]
ACTION_KINDS = ("ot_action", "kl", "tv", "diversity")  # compare policies at shared observations
VISIT_KINDS = ("ot_barycenter", "ot_episode")  # compare where agents go; a reward with a critic of its own


class AlignmentSettings(Settings):
    """An alignment term beside the task's own loss; the default is none."""

    kind: Kind = setting(
        "none",
        "ot_action: W between action distributions; ot_barycenter: visits of all episodes to the team's barycenter; "
        "ot_episode: visits within each episode to its barycenter; kl, tv: as ot_action with Jeffreys divergence or "
        "total variation; parameter_average: weights move to the team's mean; diversity: W between action "
        "distributions driven up or to `wanted`; ot_potential: shaping by -W_1(agents, targets)",
        origin=f"{PAPER}, area 1; forms of the last five: ours (A-321)",
    )
    beta: float = setting(
        0.1,
        "strength: share of the task's own gradient norm (policies), advantage deviation (visits) or reward deviation "
        "(shaping), all as they are at the start; share of the way to the mean (parameter_average); below 0 only for "
        "diversity",
        origin="ours (A-322)",
        ge=-10,
        le=10,
    )
    settling: int = setting(
        10,
        "first updates in which a term is only measured, to fix the scale that beta stands for; 0: it is brought to "
        "the task's scale again in every minibatch (policies) or update (visits)",
        unit="update",
        origin="ours (A-322)",
        ge=0,
    )
    fade: bool = setting(False, "beta falls linearly to 0 over the training", origin="ours (A-322)")
    every: int = setting(
        1,
        "updates between refreshes of what is aligned to: partners' policies, potentials, or the averaging itself",
        unit="update",
        origin="ours (A-323)",
        ge=1,
    )
    placebo: Literal["none", "shuffled", "random"] = setting(
        "none",
        "shuffled: partners answer other observations, or agents' labels are shuffled over the visits; random: a "
        "random gradient of the same norm, or the same rewards at random visits",
        origin="ours (A-324)",
    )
    probes: int = setting(128, "observations per update at which policies are compared", origin="ours (A-325)", ge=1)
    metric: Literal["euclidean", "star", "equal"] = setting(
        "euclidean", "distance between the five moves; equal: any choices, all equally far", origin="ours (A-314)"
    )
    wanted: float | None = setting(
        None, "mean distance between policies that diversity aims at; none: as far as possible", origin="ours (A-326)",
        gt=0,
    )  # fmt: skip
    features: tuple[int, ...] = setting(
        (0, 1, 2, 3), "columns of the observation in which visits are compared: velocity and position in navigation",
        origin="ours (A-327)",
    )  # fmt: skip
    standardise: bool = setting(
        True, "features are compared in units of their deviation over all agents' visits", origin="ours (A-327)"
    )
    visits: int = setting(1024, "visits per agent from which potentials are computed", origin="ours (A-327)", ge=2)
    target: Literal["barycenter", "pool", "leader"] = setting(
        "barycenter", "what visits are aligned to: the team's barycenter, all visits, or the first agent's",
        origin=f"2506.12497; others: {PAPER}",
    )  # fmt: skip
    signal: Literal["dual", "primal"] = setting(
        "dual", "reward of a visit: minus its potential, or minus its transport cost", origin="ours (A-327)"
    )
    transport: TransportSettings = setting(
        TransportSettings(projections=16), "how visits are compared: sliced or sinkhorn", origin="ours (A-327)"
    )

    @property
    def active(self) -> bool:
        return self.kind != "none"

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        kind = self.kind
        if self.beta < 0 and kind != "diversity":
            raise ValueError(f"beta must be >= 0 unless kind is 'diversity', got {self.beta:g} for kind {kind!r}")
        if kind == "diversity" and self.beta >= 0 and self.wanted is None:
            raise ValueError(f"kind 'diversity' needs beta < 0, or `wanted` with beta >= 0, got beta {self.beta:g}")
        if kind == "parameter_average" and self.beta > 1:
            raise ValueError(f"beta is a share of the way to the mean and must be <= 1 for {kind!r}, got {self.beta:g}")
        if self.wanted is not None and (kind != "diversity" or self.beta < 0):
            raise ValueError(f"wanted needs kind 'diversity' and beta >= 0, got kind {kind!r} and beta {self.beta:g}")
        if self.placebo != "none" and kind not in ACTION_KINDS + VISIT_KINDS:
            raise ValueError(f"a placebo is defined for {', '.join(ACTION_KINDS + VISIT_KINDS)}, got kind {kind!r}")
        if self.every > 1 and kind in ("ot_episode", "ot_potential"):
            raise ValueError(f"kind {kind!r} has nothing to keep between updates; use every=1, got {self.every}")
        if kind in VISIT_KINDS:
            self._check_visits()
        return self

    def _check_visits(self) -> None:
        method, power = self.transport.method, self.transport.power
        if not self.features or min(self.features) < 0:
            raise ValueError(f"features must name at least one column, counted from 0, got {self.features}")
        if method not in ("sliced", "sinkhorn") or (method == "sinkhorn" and self.kind == "ot_episode"):
            raise ValueError(f"visits are compared by sliced (ot_barycenter: or sinkhorn) transport, got {method!r}")
        if self.target == "barycenter" and power != 2:
            raise ValueError(f"a barycenter needs transport.power 2, got {power}; use target 'pool'")
        if self.kind == "ot_episode" and self.target != "barycenter":
            raise ValueError(f"ot_episode aligns to each episode's barycenter, got target {self.target!r}")
