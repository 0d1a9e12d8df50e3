"""Numbers that sentences of the radio notebook rest on: ratios paired by seed, gates, spells of silence, widths."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas

from replication.drawing import Curves, Place, by_seed, seeds_of
from replication.papers.radio_resource.figures_gap import CLAIMED
from replication.papers.radio_resource.figures_paired import ITLINQ, ORACLE, interval_of, ratios

Pair = tuple[Place, str, Place, str]  # an arm and its metric, over another arm and its metric
Rows = list[dict[str, Any]]
CTDE, CENTRALISED = ("paradigms", "CTDE"), ("paradigms", "centralised")
CLONE, BEHAVIOUR = ("learners", "cloning"), ("behaviour", "sac-final")
CALIBRATION = {  # scores of 10 other layouts by a small simulator of its own (T = 1500, η 0.01, no warm-up)
    "random": 1.112, "full reuse": 1.196, "TDM over users": 1.139, "TDM over APs": 0.895, "ITLinQ": 1.212,
    "greedy rate": 1.008, "oracle": 1.694,
}  # fmt: skip


def _pair(place: Place, of: Place = ITLINQ, metric: str = "score", of_metric: str = "") -> Pair:
    return place, metric, of, of_metric or metric


IMITATION: dict[str, Pair] = {
    "CTDE / cloning": _pair(CTDE, CLONE),
    "CTDE / cloning that draws": _pair(CTDE, CLONE, "score", "sampled_score"),
    "CTDE / SAC behaviour, which draws": _pair(CTDE, BEHAVIOUR),
    "centralised / cloning that draws": _pair(CENTRALISED, CLONE, "score", "sampled_score"),
    "CTDE / online SAC": _pair(CTDE, ("online", "SAC")),
    "CTDE / faulty penalty": _pair(CTDE, ("learners", "log-sum-exp only")),
    "share off: cloning that draws / cloning": _pair(CLONE, CLONE, "sampled_silent", "silent"),
}
LUCK: dict[str, Pair] = {
    **{f"behaviour {seed} / behaviour 0": _pair(("sources", f"data seed {seed}"), ("sources", "data seed 0"))
       for seed in (1, 2)},
    "SAC data / DQN data (R6)": _pair(CTDE, ("paradigms", "CTDE on dqn-replay")),
    "SAC data / mixed (R6)": _pair(CTDE, ("paradigms", "CTDE on mixed")),
    "SAC data / random (R6)": _pair(CTDE, ("paradigms", "CTDE on random")),
    "SAC backbone / DQN backbone (R9)": _pair(CTDE, ("learners", "DQN backbone")),
    "alpha 0 / alpha 1 (R10)": _pair(("paradigms", "CTDE, alpha 0"), CTDE),
    "CTDE / cloning (R15)": _pair(CTDE, CLONE),
}  # fmt: skip
EXPONENTS: dict[str, Pair] = {
    f"lambda {value:g} / lambda 0.8": _pair(("fairness", f"lambda {value:g}"), ("fairness", "lambda 0.8"),
                                            "validation_score")
    for value in (0, 0.2, 0.4, 0.6, 1)
}  # fmt: skip
REACH: dict[str, Place] = {
    "CTDE on SAC data": CTDE,
    "CTDE, sees what all see (DQN, random data)": ("gap", "sees what all see"),
    "centralised on SAC data": CENTRALISED,
    "centralised on mixed data": ("quality_size", "centralised, mixed, 320000"),
    "centralised on random data": ("quality_size", "centralised, random, 320000"),
    "centralised DQN on random data": ("gap", "centralised"),
    "centralised DQN on random data, 60,000 updates": ("gap", "centralised, 60,000 updates"),
}
DRAWN_AND_LIKELIEST: dict[str, Place] = {
    "oracle, top 3": ORACLE,
    "SAC behaviour, which draws": BEHAVIOUR,
    "CTDE": CTDE,
    "centralised": CENTRALISED,
    "ITLinQ": ITLINQ,
}
CONTRASTS: dict[str, tuple[str, str]] = {
    "CTDE / ITLinQ": ("CTDE", ""),
    "CTDE / centralised": ("CTDE", "centralised"),
    "CTDE, alpha 0 / CTDE": ("CTDE, alpha 0", "CTDE"),
    "CTDE on dqn-replay / CTDE": ("CTDE on dqn-replay", "CTDE"),
}


def compared(table: pandas.DataFrame, pairs: Mapping[str, Pair]) -> Rows:
    """Mean ratio of two arms over the seeds that both have, with interval and n; rows of what has run."""
    found = {
        name: ratios(table, place, of, metric, of_metric) for name, (place, metric, of, of_metric) in pairs.items()
    }
    return [{"ratio": name, "mean": interval_of(values).text()} for name, values in found.items() if len(values)]


def reach(table: pandas.DataFrame) -> Rows:
    """Who scores the claimed share above ITLinQ, if the whole interval says so, and how far it is to the oracle."""
    rows = []
    for name, place in REACH.items():
        values = ratios(table, place)
        if len(values):
            one, way = interval_of(values), way_to_the_oracle(table, place)
            verdict = "yes" if one.low > CLAIMED else "no" if one.high < CLAIMED else "open"
            rows.append({"learner": name, "score / ITLinQ's": one.text(), f"{CLAIMED:g} or more": verdict,
                         "way from ITLinQ to the oracle [%]": interval_of(100 * way).text()})  # fmt: skip
    return rows


def way_to_the_oracle(table: pandas.DataFrame, place: Place) -> np.ndarray:
    """(S,) share of the way from ITLinQ to the oracle of the ranked three that an arm goes, seed by seed."""
    start, end = by_seed(table, ITLINQ, "score"), by_seed(table, ORACLE, "score")
    return ((by_seed(table, place, "score") - start) / (end - start)).dropna().to_numpy(float)


def gates(table: pandas.DataFrame) -> Rows:
    """What had to hold before any claim was judged: found, asked, and whether the whole interval is inside."""
    rows = []
    known = {name: seeds_of(table, "schedulers", name, "score") / score for name, score in CALIBRATION.items()}
    off = {name: values for name, values in known.items() if len(values)}
    if off:
        name = max(off, key=lambda one: abs(off[one].mean() - 1.0))
        rows.append(_gate(f"{name} / its calibration (the farthest of {len(off)} schedulers)", off[name], 0.93, 1.07))
    asked: dict[str, tuple[Pair, float, float]] = {
        "oracle / ITLinQ": (_pair(("schedulers", "oracle")), 1.3, 1.6),
        "oracle of the ranked three / ITLinQ": (_pair(ORACLE), 1.3, 1.6),
        "CTDE on random data / random actions": (_pair(("paradigms", "CTDE on random"), ("schedulers", "random")),
                                                 1.0, np.inf),
        "online DQN / ITLinQ": (_pair(("online", "DQN")), 1.0, np.inf),
        "clone that draws / SAC behaviour, its teacher": (
            _pair(("learners", "cloning sac-final"), BEHAVIOUR, "sampled_score", "score"), 0.98, 1.02),
    }  # fmt: skip
    for name, ((place, metric, of, of_metric), low, high) in asked.items():
        values = ratios(table, place, of, metric, of_metric)
        rows += [_gate(name, values, low, high)] if len(values) else []
    return rows


def _gate(name: str, values: np.ndarray, low: float, high: float) -> dict[str, Any]:
    one = interval_of(values)
    asked = f"at least {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
    return {"gate": name, "found": one.text(), "asked": asked, "met": "yes" if low <= one.low <= one.high <= high
            else "no"}  # fmt: skip


def silence(found: Curves, wanted: Mapping[str, Place]) -> Rows:
    """How access points are off in the first TTIs of one layout per seed: how often, and for how long at a stretch."""
    rows = []
    for name, (experiment, arm) in wanted.items():
        if "served" not in found.get(experiment, {}).get(arm, {}):
            continue
        off = np.asarray(found[experiment][arm]["served"]) < 0
        spells = spells_of(off)
        short = spells[spells <= 2].sum() / max(spells.sum(), 1)
        rows.append({"method": name, "share off": f"{off.mean():.3f}", "seeds": len(off),
                     "mean spell [TTI]": f"{spells.mean():.1f}" if len(spells) else "",
                     "of it in spells of 1 or 2": f"{short:.0%}" if len(spells) else ""})  # fmt: skip
    return rows


def spells_of(off: np.ndarray) -> np.ndarray:
    """Lengths of all unbroken stretches of True along the second axis of (S, T, I)."""
    edge = np.zeros((len(off), 1, off.shape[2]), int)
    steps = np.diff(np.concatenate([edge, off.astype(int), edge], axis=1), axis=1).transpose(0, 2, 1)
    return np.nonzero(steps == -1)[2] - np.nonzero(steps == 1)[2]


def widths(table: pandas.DataFrame) -> Rows:
    """The primary contrasts with networks 64 and 256 wide, on the seeds that both have run."""
    rows = []
    for name, (arm, other) in CONTRASTS.items():
        both = [_contrast(table, experiment, arm, other) for experiment in ("paradigms", "wide")]
        shared = both[0].index.intersection(both[1].index)
        if len(shared):
            texts = [interval_of(one[shared].to_numpy(float)).text() for one in both]
            rows.append({"ratio": name, "64 wide": texts[0], "256 wide": texts[1]})
    return rows


def _contrast(table: pandas.DataFrame, experiment: str, arm: str, other: str) -> pandas.Series:
    reference = (experiment, other) if other else ITLINQ
    return (by_seed(table, (experiment, arm), "score") / by_seed(table, reference, "score")).dropna()
