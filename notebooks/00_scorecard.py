# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Scorecard: four papers, claim by claim
#
# What each paper says, the rule by which we judge it, and what came out. Rules are frozen before the runs they judge;
# a rule that is younger than its runs is labelled *post hoc* and never counts as reproduced. A paper that has not run
# yet says so.
#
# **Time and memory.** Seconds; the scorecard only reads what the other notebooks left.

# %% tags=["parameters"]
profile = "full"
seeds = 0
runs = "runs"
figures = "figures"
cluster = "local"

# %%
import replication  # noqa: F401  first: it sets one thread per process
from replication import notebook
from replication.notebook import NotebookParameters

parameters = NotebookParameters(profile=profile, seeds=seeds, runs=runs, figures=figures, cluster=cluster)
notebook.scorecard(parameters)

# %% [markdown]
# **How to read it.** *reproduced*: every part of the rule holds with its whole 95 % interval. *partly*: some parts
# do. *contradicted*: the interval of every part lies wholly on the other side. *inconclusive*: too few seeds, or an
# interval that covers both. *not run*: no results yet. A difference is the value of the arm said to be higher minus
# the other one.
