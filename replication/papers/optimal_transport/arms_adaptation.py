"""Arms of the adaptation experiment, "CHANGE, RESPONSE": what suddenly changes, and how the others respond.

Labels are what figures, tables and claims call an arm.
"""

from typing import Any, get_args

from replication.algos.team_settings import TeamSettings
from replication.papers.optimal_transport.arms_teams import learner
from replication.papers.optimal_transport.study_adaptation import AdaptationStudy, ChangeName
from replication.settings import Profile

CHANGES: tuple[str, ...] = get_args(ChangeName)  # "nothing": what a response costs without a change
RESPONSES: dict[str, dict[str, Any]] = {
    "none": {},
    "higher rate": {"response": "higher rate"},
    "rate up with distance": {"response": "rate up"},
    "rate down with distance": {"response": "rate down"},
    "known time": {"response": "known time"},
}
OTHERS: dict[str, dict[str, Any]] = {
    "reset optimiser": {"response": "reset optimiser"},
    "rate up with mean discrepancy": {"response": "rate up", "distance": "mean_discrepancy"},
    "rate up with Gaussian divergence": {"response": "rate up", "distance": "gaussian_divergence"},
    "rate up with Page-Hinkley": {"response": "rate up", "distance": "page_hinkley"},
    "rate up with moving distance": {"response": "rate up", "moving": True},
}
ALIGNED = ("aligned to the past", "aligned anew", "aligned no more")

USUAL = ("none", "higher rate", "rate up with distance")
ASKED: dict[str, tuple[str, ...]] = {  # beside the usual responses: what time allows, most where a partner is new
    "partner": ("rate down with distance", "known time", *OTHERS),
    "random": tuple(name for name, values in OTHERS.items() if "distance" in values),
    "mirrored": ("rate down with distance",),
}

SMALL: dict[Profile, dict[str, Any]] = {  # how the smaller profiles differ from the published one
    "smoke": {"updates": 2, "plateau": 6, "recent": 2, "reference": 3, "adaptation": 2, "look_every": 1,
              "test_episodes": 8, "validation_episodes": 8},
    "quick": {"updates": 20, "plateau": 8, "reference": 4, "adaptation": 9, "test_episodes": 100,
              "validation_episodes": 50},
    "full": {},
}  # fmt: skip


def study(profile: Profile, chosen: TeamSettings, change: str, **values: Any) -> AdaptationStudy:
    """A study of one change and one response at a profile's size."""
    if profile == "smoke":
        chosen = chosen.but(envs=8)
    return AdaptationStudy(learner=chosen, **({"change": change} | values | SMALL[profile]))


def adaptation_arms(profile: Profile) -> dict[str, AdaptationStudy]:
    """Every change with the usual responses; other responses, distances and alignment where a partner is new."""
    plain = learner("independent")
    if profile != "full":
        few = ("none", "rate up with distance")
        return {f"mirrored, {name}": study(profile, plain, "mirrored", **RESPONSES[name]) for name in few}
    known = RESPONSES | OTHERS
    arms = {
        f"{change}, {name}": study(profile, plain, change, **known[name])
        for change in CHANGES
        for name in USUAL + ASKED.get(change, ())
    }
    aligned = learner("OT barycenter")
    return arms | {f"partner, {name}": study(profile, aligned, "partner", response=name) for name in ALIGNED}
