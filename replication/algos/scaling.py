"""Fixed z-scores of observations, per seed, agent and feature; the padding of missing users is left out of the fit."""

from dataclasses import dataclass

import numpy as np

from replication.algos.nets import Arrays

LEAST_DEVIATION = 1e-3  # so that a feature that hardly moved in the data is not blown up later


@dataclass(frozen=True)
class Scaling:
    """scaled = (raw - mean) * factor; both (S, A, F) float32."""

    mean: np.ndarray
    factor: np.ndarray

    def seed(self, index: int) -> "Scaling":
        """The scaling of one seed, by its place."""
        return Scaling(self.mean[index : index + 1].copy(), self.factor[index : index + 1].copy())

    def agent(self, index: int) -> "Scaling":
        """The scaling of one agent."""
        pick = slice(index, index + 1)
        return Scaling(self.mean[:, pick].copy(), self.factor[:, pick].copy())

    def arrays(self) -> Arrays:
        """Both arrays by name."""
        return {"mean": self.mean, "factor": self.factor}


def no_scaling(seeds: int, agents: int, features: int) -> Scaling:
    """Observations are passed on as they are."""
    shape = (seeds, agents, features)
    return Scaling(np.zeros(shape, np.float32), np.ones(shape, np.float32))


def fit_scaling(samples: list[tuple[np.ndarray, np.ndarray]], shared: bool = False) -> Scaling:
    """Z-scores fitted on each seed's own samples.

    Args:
        samples: per seed, observations (N, A, F) and action masks (N, A, U).
        shared: one mean and factor for all agents, for agents that share their weights.
    """
    moments = [_moments(observation, mask, shared) for observation, mask in samples]
    mean = np.stack([mean for mean, _ in moments])
    factor = np.stack([1.0 / np.maximum(deviation, LEAST_DEVIATION) for _, deviation in moments])
    return Scaling(mean.astype(np.float32), factor.astype(np.float32))


def padding(observation: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(N, A, F) bool: entries that only fill the place of somebody missing.

    An entry counts as padding where an action is invalid and the feature was zero in every sample in which this
    action was invalid: this finds the users an access point does not have, whatever the order of the features.

    Args:
        observation: (N, A, F). mask: (N, A, U), True for valid actions.
    """
    count = len(observation)
    present = (observation != 0).reshape(count, -1).astype(np.float32)
    invalid = ~mask.reshape(count, -1)
    often = invalid.any(axis=0)
    absent = invalid[:, often].astype(np.float32)  # (N, invalid actions that occur)
    tied = (present.T @ absent) == 0.0
    return (absent @ tied.T.astype(np.float32) > 0).reshape(observation.shape)


def _moments(observation: np.ndarray, mask: np.ndarray, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation (A, F) of the entries that are no padding; padding is zero, so that only counts must know."""
    count = (~padding(observation, mask)).sum(axis=0, dtype=np.float64)
    total = observation.sum(axis=0, dtype=np.float64)
    squares = np.einsum("naf,naf->af", observation, observation, dtype=np.float64, casting="same_kind")
    if shared:
        count, total, squares = (np.repeat(part.sum(axis=0, keepdims=True), len(part), axis=0)
                                 for part in (count, total, squares))  # fmt: skip
    count = np.maximum(count, 1.0)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))
