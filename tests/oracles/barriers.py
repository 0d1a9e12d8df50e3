"""The barrier functions as the MAPDN paper and code print them, on one number at a time."""

import math


def barrier(name: str, v: float) -> float:
    deviation = abs(v - 1)
    if name == "l1":
        return deviation
    if name == "l2":
        return 2 * deviation**2
    if name == "bowl":
        if deviation > 0.05:
            return 2 * deviation - 0.095
        density = math.exp(-((v - 1) ** 2) / (2 * 0.1**2)) / math.sqrt(2 * math.pi * 0.1**2)
        return 0.04 - 0.01 * density
    if name == "courant_beltrami":
        return max(0, v - 1.05) ** 2 + max(0, 0.95 - v) ** 2
    if abs(v) < 1:
        return math.exp(-1 / (1 - v**4))
    if 1 < v < 3:
        return math.exp(-1 / (1 - (v - 2) ** 4))
    return 0.0
