"""From a named experiment to its score table: plan, store, scheduler, notebooks."""

from replication.orchestration.plan import Experiment, Result, Run, RunSpec
from replication.orchestration.scheduler import RunsFailed, ensure
from replication.orchestration.table import load_curves

__all__ = ["Experiment", "Result", "Run", "RunSpec", "RunsFailed", "ensure", "load_curves"]
