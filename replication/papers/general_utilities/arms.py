"""Arms of the general-utilities experiments that measure: decay, truncation, estimates, critics, shadow rewards.

Labels are what figures, tables and claims call an arm.
"""

from typing import Any

from replication.algos.truncated_pg_settings import TruncatedPGSettings
from replication.papers.general_utilities.study import (
    CriticStudy,
    DecayStudy,
    EstimateStudy,
    GrowthStudy,
    ShadowStudy,
    TruncationStudy,
)
from replication.settings import Profile

DISCOUNTS = (0.5, 0.9, 0.99)

# ---- decay of influence ------------------------------------------------------------------------------------------

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"voter {alpha:g}": ("network/voter", {"n": 8, "alpha": alpha}) for alpha in (0.3, 0.6, 0.9, 0.99)},
    **{f"parity {act:g}": ("network/parity", {"n": 8, "act": act, "flip": 0.0}) for act in (0.0, 0.3)},
    **{f"Glauber {J:g}": ("network/glauber", {"n": 8, "coupling": J, "field": 0.5}) for J in (0.25, 0.5, 1.0, 2.0)},
    "power law 0.95": ("network/voter", {"n": 8, "graph": "power_law", "alpha": 0.95}),
    "mean field 0.95": ("network/voter", {"n": 8, "graph": "mean_field", "alpha": 0.95}),
}


def decay_arms(profile: Profile) -> dict[str, DecayStudy]:
    """Every network at every discount; smaller profiles take a few."""
    names = {"smoke": ("voter 0.6",), "quick": ("voter 0.6", "parity 0", "mean field 0.95"), "full": tuple(NETWORKS)}
    return {
        f"{name}, gamma {gamma:g}": DecayStudy(
            world=NETWORKS[name][0], options=NETWORKS[name][1], discount=gamma,
            policies={"smoke": 0, "quick": 2, "full": 20}[profile],
        )
        for name in names[profile]
        for gamma in (DISCOUNTS if profile == "full" else (0.9,))
    }  # fmt: skip


COUPLINGS: dict[str, dict[str, Any]] = {
    "ring": {"alpha": 0.9},
    "power law": {"graph": "power_law", "alpha": 0.9},
    "mean field": {"graph": "mean_field", "alpha": 0.9},
}


def growth_arms(profile: Profile) -> dict[str, GrowthStudy]:
    """Ring, power-law and mean-field couplings from 8 to 256 agents."""
    sizes = {"smoke": (8, 16), "quick": (8, 16, 32, 64), "full": (8, 16, 32, 64, 128, 256)}[profile]
    return {
        f"{name}, {agents} agents": GrowthStudy(options=options, agents=agents)
        for name, options in COUPLINGS.items()
        for agents in sizes
    }


TRUNCATED: dict[str, tuple[str, dict[str, Any]]] = {
    "voter 0.6": ("network/voter", {"n": 7, "alpha": 0.6}),
    "voter 0.95": ("network/voter", {"n": 7, "alpha": 0.95}),
    "parity": ("network/parity", {"n": 7, "act": 0.3, "flip": 0.05}),
    "Glauber 0.5": ("network/glauber", {"n": 7, "coupling": 0.5, "field": 0.5}),
    "Glauber 1.5": ("network/glauber", {"n": 7, "coupling": 1.5, "field": 0.5}),
    "power law 0.95": ("network/voter", {"n": 7, "graph": "power_law", "alpha": 0.95}),
    "mean field 0.95": ("network/voter", {"n": 7, "graph": "mean_field", "alpha": 0.95}),
}


def truncation_arms(profile: Profile) -> dict[str, TruncationStudy]:
    """Truncation error of the gradient by coupling, and by policy temperature on one network."""
    names = tuple(TRUNCATED) if profile == "full" else ("voter 0.6", "mean field 0.95")
    arms = {name: TruncationStudy(world=TRUNCATED[name][0], options=TRUNCATED[name][1]) for name in names}
    if profile == "full":
        world, options = TRUNCATED["Glauber 0.5"]
        for temperature in (0.1, 0.3, 3.0):
            label = f"Glauber 0.5, temperature {temperature:g}"
            arms[label] = TruncationStudy(world=world, options=options, temperature=temperature)
    return arms


# ---- estimates ---------------------------------------------------------------------------------------------------

ESTIMATE: dict[str, Any] = {"discount": 0.8, "horizon": 40}  # the discounted mass beyond 40 steps is 1e-4
BATCHES = (16, 64, 256, 1024, 4096)
KAPPAS = (0, 1, 2, 3)


def radius_arms(profile: Profile) -> dict[str, EstimateStudy]:
    """Radius against batch on a ring of 50 agents; on a torus of 196 with smaller batches."""
    batches = {"smoke": (16,), "quick": (16, 256), "full": BATCHES}[profile]
    kappas = KAPPAS if profile == "full" else (0, 2)
    ring = {"n": 50, "alpha": 0.9} if profile != "smoke" else {"n": 8, "alpha": 0.9}
    arms = {f"ring, kappa {k}, batch {b}": _estimate(ring, kappa=k, batch=b) for k in kappas for b in batches}
    if profile == "full":
        torus = {"n": 196, "alpha": 0.9, "graph": "torus"}
        for k in KAPPAS[:3]:
            arms |= {f"torus, kappa {k}, batch {b}": _estimate(torus, kappa=k, batch=b) for b in BATCHES[:4]}
    return arms


def critic_kind_arms(profile: Profile) -> dict[str, EstimateStudy]:
    """The three critics at equal batch, on a ring of 20 agents."""
    ring = {"n": 20 if profile != "smoke" else 8, "alpha": 0.9}
    kinds = ("reward_to_go", "visited_average", "td") if profile == "full" else ("reward_to_go", "td")
    return {
        f"{kind}, kappa {k}, batch {b}": _estimate(ring, kappa=k, batch=b, critic=kind)
        for kind in kinds
        for k in (0, 1, 2)[: None if profile == "full" else 2]
        for b in ((16, 64, 256, 1024) if profile == "full" else (16,))
    }


def _estimate(options: dict[str, Any], **learner: Any) -> EstimateStudy:
    return EstimateStudy(options=options, learner=TruncatedPGSettings(**ESTIMATE, **learner))


def critic_arms(profile: Profile) -> dict[str, CriticStudy]:
    """Table critic against samples; on a ring of five, radius 2 sees everyone."""
    sizes = {"smoke": (10_000,), "quick": (100_000, 1_000_000), "full": (300_000, 1_000_000, 3_000_000, 10_000_000)}
    return {
        f"kappa {k}, {samples} samples": CriticStudy(options={"n": 5, "alpha": 0.9}, kappa=k, samples=samples)
        for k in (0, 1, 2)
        for samples in sizes[profile]
    }


SHADOWS = {
    "state_entropy": True, "imitation": True, "fairness": True, "log_barrier": True,
    "quadratic_state": False, "transport": False, "risk": False,
}  # fmt: skip


def shadow_arms(profile: Profile) -> dict[str, ShadowStudy]:
    """Utilities with logarithms over their smoothing, the others once; batches for the entropy."""
    epsilons = (1e-1, 1e-2, 1e-4, 1e-8) if profile == "full" else (1e-1, 1e-8)
    network: dict[str, Any] = {"options": {"n": 6, "alpha": 0.1, "delta": 0.0001}}
    arms = {}
    for name, smoothed in SHADOWS.items():
        for epsilon in epsilons if smoothed else (0.0,):
            label = f"{name}, smoothing {epsilon:g}" if smoothed else name
            arms[label] = ShadowStudy(utility=name, smoothing=epsilon, **network)
    for batch in (8, 128, 512) if profile == "full" else ():
        arms[f"state_entropy, batch {batch}"] = ShadowStudy(utility="state_entropy", batch=batch, **network)
    return arms
