"""The score table: one row per experiment, arm, seed and metric. The one data type of `replication.stats`.

Columns: `experiment, arm, <settings that vary>..., seed, metric, value, key`; `key` names the run a row
comes from. `replication.orchestration.table` builds it.
"""

import pandas


def find(table: pandas.DataFrame, experiment: str, arm: str, metric: str) -> pandas.DataFrame:
    """Rows of one arm and metric sorted by seed; empty when there are none."""
    chosen = (table["experiment"] == experiment) & (table["arm"] == arm) & (table["metric"] == metric)
    return table[chosen].sort_values("seed", kind="stable")
