# %% [markdown]
# # Toy
# A walk, drawn and judged.

# %% tags=["parameters"]
profile = "full"
seeds = 0
runs = "runs"
figures = "figures"
cluster = "local"

# %%
# ruff: noqa: E402, B018
import sys
import warnings

from replication import notebook
from replication.orchestration import discovery
from replication.plotting import certificate

parameters = notebook.NotebookParameters(profile=profile, seeds=seeds, runs=runs, figures=figures, cluster=cluster)
(walk,) = discovery.experiments("toy", "walk")
notebook.verdicts("toy", parameters)

# %%
notebook.describe(walk.arms(profile)["slow"])

# %%
notebook.source(walk.function, 3, 6)

# %% [markdown]
# ## Walking

# %%
scores = parameters.ensure(walk)
curves = parameters.curves(walk)
print("python:", sys.executable, "| figures:", parameters.figure_folder("toy"))
warnings.warn("a warning that names a file", stacklevel=1)
object()

# %%
from matplotlib import pyplot

figure, axis = pyplot.subplots(figsize=(4, 3))
for arm, found in curves.items():
    axis.plot(found["_step"], found["path"].mean(axis=0), label=arm)
certificate.save(
    figure,
    parameters.figure_folder("toy"),
    "walk",
    data=scores,
    profile=profile,
    seeds=sorted(set(scores["seed"])),
    results=sorted(set(scores["key"])),
    drawing_digest="toy",
    packages={},
    caption="mean walk",
).name

# %%
notebook.stamp(parameters, scores)
