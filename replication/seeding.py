"""Named random streams, and counter-based noise for compiled worlds.

One stream per purpose: adding a purpose never shifts another one. The counter-based noise is a pure
function of (key, step, channel), so a world's draws do not depend on how many copies run side by side.
"""

import hashlib

import numpy as np
from numba import njit
from scipy.special import ndtri

from replication.settings import BadInput

_TABLE_BITS = 12
NORMAL_TABLE = ndtri((np.arange(2**_TABLE_BITS) + 0.5) / 2**_TABLE_BITS)
NORMAL_TABLE /= NORMAL_TABLE.std()  # 4096 quantiles: unit variance, tails end at 3.7 standard deviations


def stream(purpose: str, *numbers: int) -> np.random.Generator:
    """Generator for `purpose` (a phrase) and any whole numbers >= 0 (seed, update, ...)."""
    for number in numbers:
        if number < 0 or int(number) != number:
            raise BadInput(f"seeds and counters must be whole numbers >= 0, got {number!r}")
    name = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    return np.random.default_rng(np.random.SeedSequence([name, *(int(n) for n in numbers)]))


def keys(purpose: str, *numbers: int, count: int) -> np.ndarray:
    """(count,) uint64 keys, for instance one per environment lane."""
    return stream(purpose, *numbers).integers(0, 2**63, size=count, dtype=np.uint64)


@njit(inline="always")
def mix(value):
    """SplitMix64 finaliser: uint64 -> well-mixed uint64 (Steele, Lea, Flood 2014)."""
    value = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(inline="always")
def uniform(key, step, channel):
    """Uniform number in [0, 1) for (key, step, channel)."""
    bits = mix(mix(np.uint64(key) ^ (np.uint64(step) << np.uint64(32))) + np.uint64(channel))
    return (bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(inline="always")
def normal(key, step, channel, table):
    """Standard normal number for (key, step, channel); `table` is `NORMAL_TABLE`."""
    bits = mix(mix(np.uint64(key) ^ (np.uint64(step) << np.uint64(32))) + np.uint64(channel))
    return table[bits >> np.uint64(52)]
