"""A drawing on its way to a published figure, and the score rows that figures of any paper start from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas
from matplotlib.figure import Figure

from replication.seeding import stream
from replication.stats import intervals, scores

Curves = Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]  # experiment -> arm -> name -> array
Place = tuple[str, str]  # experiment, arm
COLUMNS = ["experiment", "arm", "seed", "metric", "value", "key"]


@dataclass(frozen=True)
class Drawing:
    """A figure with its plotted numbers, the rows of the score table behind it, and its caption."""

    figure: Figure
    data: pandas.DataFrame
    used: pandas.DataFrame
    caption: str


def rng() -> np.random.Generator:
    """The generator of every interval drawn: equal inputs give equal pictures."""
    return stream("figure intervals")


def seeds_of(table: pandas.DataFrame, experiment: str, arm: str, metric: str) -> np.ndarray:
    """(S,) values by seed; empty when the arm has not run."""
    return scores.find(table, experiment, arm, metric)["value"].to_numpy(float)


def estimate(values: np.ndarray) -> intervals.Estimate | None:
    """Mean with its 95 % interval over seeds; none for a single seed."""
    return intervals.interval(values, rng=rng()) if len(values) > 1 else None


def rows_of(table: pandas.DataFrame, wanted: Mapping[str, tuple[str, str]], metric: str) -> dict[str, tuple]:
    """Label -> (values, estimate) for (experiment, arm) pairs that have run."""
    found = {label: seeds_of(table, *place, metric) for label, place in wanted.items()}
    return {label: (values, estimate(values)) for label, values in found.items() if len(values)}


def used_rows(table: pandas.DataFrame, wanted: Iterable[tuple[str, str]], metrics: Sequence[str]) -> pandas.DataFrame:
    """Rows of the score table behind a picture: those of the (experiment, arm) pairs and metrics."""
    pairs = set(wanted)
    inside = [pair in pairs for pair in zip(table["experiment"], table["arm"], strict=True)]
    return table.loc[np.array(inside, dtype=bool) & table["metric"].isin(metrics), COLUMNS]


def by_seed(table: pandas.DataFrame, place: Place, metric: str) -> pandas.Series:
    """Values of one arm, indexed by seed; empty when it has not run."""
    rows = scores.find(table, *place, metric)
    return pandas.Series(rows["value"].to_numpy(float), index=rows["seed"].to_numpy(int))


def rows_entering(
    table: pandas.DataFrame, arms: Iterable[Place], references: Iterable[Place], metrics: Sequence[str]
) -> pandas.DataFrame:
    """Rows behind a picture: those of the arms, and those of the references for seeds that the arms have."""
    arms = set(arms)
    rows = used_rows(table, [*arms, *references], metrics)
    own = np.array([pair in arms for pair in zip(rows["experiment"], rows["arm"], strict=True)], dtype=bool)
    return rows[rows["seed"].isin(rows.loc[own, "seed"])]


def levels(
    table: pandas.DataFrame, references: Mapping[str, Place], arms: Iterable[Place], metric: str = "score"
) -> dict[str, float]:
    """Name -> mean of a reference over the seeds that the arms have, for the references that have run."""
    rows = rows_entering(table, arms, references.values(), [metric])
    means = {name: seeds_of(rows, *place, metric) for name, place in references.items()}
    return {name: float(values.mean()) for name, values in means.items() if len(values)}
