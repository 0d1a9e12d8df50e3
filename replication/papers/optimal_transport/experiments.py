"""Experiments of the optimal-transport paper: arms, seeds and what one run does.

Primary contrasts of teams have 20 seeds, other comparisons 10, sweeps 5, tuning and slow timings 3; what draws nothing
has one. Step sizes and strengths of alignment were chosen on seeds of their own (experiments `tuning` and `beta`).
"""

from collections.abc import Callable
from typing import Any

from replication.orchestration.plan import Experiment
from replication.papers.optimal_transport import (
    adaptation,
    arms_adaptation,
    arms_plans,
    arms_teams,
    plans_allocation,
    plans_barycenters,
    plans_comparison,
    plans_detection,
    plans_fleet,
    plans_scaling,
    plans_voter,
    teams,
)
from replication.papers.optimal_transport.study_adaptation import AdaptationStudy
from replication.papers.optimal_transport.study_plans import (
    AllocationStudy,
    AssignmentScalingStudy,
    BarycenterStudy,
    ComparisonStudy,
    ConsequenceStudy,
    DetectionStudy,
    DistanceScalingStudy,
    DistributedStudy,
    FleetStudy,
    NullStudy,
    VoterAlignmentStudy,
    VoterTrainingStudy,
)
from replication.papers.optimal_transport.study_teams import ScriptedStudy, TeamStudy
from replication.settings import Profile

PAPER = "optimal_transport"
FIXED, FEW, SWEEP, COMPARISON, PRIMARY = 1, 3, 5, 10, 20
FIRST_TUNING_SEED = 1000


def _seeds(full: int, first: int = 0) -> Callable[[Profile], tuple[int, ...]]:
    counts = {"smoke": 1, "quick": min(2, full), "full": full}
    return lambda profile: tuple(range(first, first + counts[profile]))


def _one(
    name: str, study: type, arms_of: Callable, seeds: int, function: Callable, cost: Any = None, first: int = 0
) -> Experiment:
    return Experiment(PAPER, name, 1, study, arms_of, _seeds(seeds, first), function, cost=cost)


def _teams(name: str, arms_of: Callable, seeds: int, first: int = 0) -> Experiment:
    return _one(name, TeamStudy, arms_of, seeds, teams.train, teams.team_work, first)


EXPERIMENTS = (
    _one("scripted", ScriptedStudy, arms_teams.scripted_arms, COMPARISON, teams.play_scripted),
    _teams("tuning", arms_teams.tuning_arms, FEW, FIRST_TUNING_SEED),
    _teams("beta", arms_teams.beta_arms, SWEEP, FIRST_TUNING_SEED),
    _teams("teams", arms_teams.team_arms, PRIMARY),
    _teams("controls", arms_teams.control_arms, COMPARISON),
    _teams("team_sizes", arms_teams.team_size_arms, COMPARISON),
    _teams("continuous", arms_teams.continuous_arms, COMPARISON),
    _teams("tasks", arms_teams.task_arms, COMPARISON),
    _teams("frequency", arms_teams.frequency_arms, SWEEP),
    _one("adaptation", AdaptationStudy, arms_adaptation.adaptation_arms, COMPARISON, adaptation.measure_adaptation),
    _teams("ablation", arms_teams.ablation_arms, SWEEP),
    _teams("factorial", arms_teams.factorial_arms, COMPARISON),
    _teams("many_agents", arms_teams.many_agents_arms, SWEEP),
    _one("distance_scaling", DistanceScalingStudy, arms_plans.distance_scaling_arms, FEW,
         plans_scaling.measure_distances),
    _one("assignment_scaling", AssignmentScalingStudy, arms_plans.assignment_scaling_arms, SWEEP,
         plans_scaling.measure_assignments),
    _one("barycenters", BarycenterStudy, arms_plans.barycenter_arms, COMPARISON,
         plans_barycenters.measure_barycenters),
    _one("messages", DistributedStudy, arms_plans.message_arms, COMPARISON, plans_barycenters.measure_messages),
    _one("allocation", AllocationStudy, arms_plans.allocation_arms, COMPARISON, plans_allocation.measure_allocation),
    _one("fleet", FleetStudy, arms_plans.fleet_arms, COMPARISON, plans_fleet.measure_fleet),
    _one("detection", DetectionStudy, arms_plans.detection_arms, COMPARISON, plans_detection.measure_detection),
    _one("comparison", ComparisonStudy, arms_plans.comparison_arms, FIXED, plans_comparison.compare),
    _one("consequences", ConsequenceStudy, arms_plans.consequence_arms, COMPARISON,
         plans_comparison.measure_consequences),
    _one("null", NullStudy, arms_plans.null_arms, COMPARISON, plans_comparison.measure_null),
    _one("voter_optimum", VoterAlignmentStudy, arms_plans.voter_optimum_arms, FIXED, plans_voter.measure_optimum),
    _one("voter_training", VoterTrainingStudy, arms_plans.voter_training_arms, COMPARISON,
         plans_voter.measure_training),
)  # fmt: skip
