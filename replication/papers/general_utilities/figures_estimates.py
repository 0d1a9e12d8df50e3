"""Pictures of single estimates: radius against budget, table critics, and shadow rewards near the simplex's edge."""

from collections.abc import Mapping

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from replication.drawing import Drawing, seeds_of, used_rows
from replication.drawing_lines import Lines, arms_like, draw_lines, frame_of, gathered, sweep
from replication.papers.general_utilities.figures import KAPPA
from replication.papers.general_utilities.study import ShadowStudy
from replication.plotting import curves, theme
from replication.plotting.theme import DASH, Look

ERROR = "error / ‖∇F‖"
CRITICS = {
    "reward_to_go": Look("reward to go", "#d55e00"),
    "visited_average": Look("average of visited pairs", "#009e73", marker="s"),
    "td": Look("temporal differences", "#0072b2", marker="D"),
}


def budget_radius(table: pandas.DataFrame) -> Drawing:
    """Error by radius and batch with the best radius of each batch framed, and over samples; ring above torus."""
    graphs = [graph for graph in ("ring", "torus") if arms_like(table, "radius", f"{graph}, .+")] or ["ring"]
    figure, axes = theme.figure(len(graphs), 2, height=2.9 * len(graphs), squeeze=False, width_ratios=(1.05, 1.0))
    frames, places = [], []
    for row, graph in zip(axes, graphs, strict=True):
        arms = _by_radius(table, "radius", rf"{graph}, kappa (\d+), batch (\d+)")
        error = _errors(table, "radius", arms)
        draw_errors(row[0], error)
        row[0].set_title(f"{graph.capitalize()}: best radius framed")
        lines = _over_samples(table, arms)
        looks = {name: KAPPA[int(name[-1])] for name in lines}
        draw_lines(row[1], lines, xlabel="transitions of one estimate", ylabel=ERROR, looks=looks,
                   scales=("log", "log"), levels=_left_by_truncation(table, arms))  # fmt: skip
        frames += frame_of(lines, graph=graph)
        places += [("radius", arm) for by_batch in arms.values() for arm in by_batch.values()]
    used = used_rows(table, places, ["rmse", "bias", "samples"])
    caption = "Root mean squared error of one gradient estimate by radius and batch; dotted: what truncation leaves"
    return Drawing(figure, gathered(frames), used, caption)


def _by_radius(table: pandas.DataFrame, experiment: str, pattern: str) -> dict[int, dict[float, str]]:
    """κ -> x -> arm, from a pattern with the groups κ and x."""
    found: dict[int, dict[float, str]] = {}
    for arm, (kappa, x) in arms_like(table, experiment, pattern).items():
        found.setdefault(int(kappa), {})[float(x)] = arm
    return {kappa: dict(sorted(found[kappa].items())) for kappa in sorted(found)}


def _errors(table: pandas.DataFrame, experiment: str, arms: Mapping[int, Mapping[float, str]]) -> pandas.DataFrame:
    """Mean error, one row per κ and one column per batch; nan where an arm has not run."""
    found = {
        kappa: {int(batch): seeds_of(table, experiment, arm, "rmse").mean() for batch, arm in row.items()}
        for kappa, row in arms.items()
    }
    return pandas.DataFrame.from_dict(found, orient="index").sort_index().sort_index(axis=1)


def best_radius(error: pandas.DataFrame) -> dict[int, int]:
    """Batch -> the κ of least mean error, from a table with a row per κ and a column per batch."""
    return {int(batch): int(error[batch].idxmin()) for batch in error.columns}


def draw_errors(ax: Axes, error: pandas.DataFrame) -> Axes:
    """Errors as numbers, coloured by their ratio to the best of the same batch, which has a frame."""
    ax.set(xlabel="trajectories of one estimate", ylabel="radius κ")
    if error.empty:
        return ax
    ratio = (error / error.min()).to_numpy()
    rows, columns = np.arange(len(error)), np.arange(error.shape[1])
    curves.heat_map(ax, ratio, rows=rows, columns=columns, xlabel=ax.get_xlabel(), ylabel=ax.get_ylabel(),
                    colour_label="ratio to the best κ", limits=(1.0, max(float(np.nanmax(ratio)), 1.01)))  # fmt: skip
    ax.set_xticks(columns, [f"{batch:g}" for batch in error.columns])
    ax.set_yticks(rows, [str(kappa) for kappa in error.index])
    top = np.nanmax(ratio)
    for (row, column), value in np.ndenumerate(error.to_numpy()):
        dark = ratio[row, column] < 0.5 * (1 + top)
        if np.isfinite(value):
            ax.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=7.5,
                    color="white" if dark else theme.INK)  # fmt: skip
    for column, kappa in enumerate(best_radius(error).values()):
        frame = Rectangle((column - 0.46, list(error.index).index(kappa) - 0.44), 0.92, 0.88, fill=False)
        frame.set(edgecolor="#ff8c42", linewidth=2.2, gid=f"best {kappa}")
        ax.add_patch(frame)
    return ax


def _over_samples(table: pandas.DataFrame, arms: Mapping[int, Mapping[float, str]]) -> Lines:
    """κ -> error over the transitions that an estimate takes."""
    lines = {}
    for kappa, by_batch in arms.items():
        by_samples = {float(seeds_of(table, "radius", arm, "samples").mean()): arm for arm in by_batch.values()}
        if found := sweep(table, "radius", by_samples, "rmse"):
            lines[f"kappa {kappa}"] = found
    return lines


def _left_by_truncation(table: pandas.DataFrame, arms: Mapping[int, Mapping[float, str]]) -> dict[str, float]:
    """κ -> the error that is left with endless samples, where there is one."""
    found = {
        f"kappa {kappa}": float(np.concatenate([seeds_of(table, "radius", arm, "bias") for arm in row.values()]).mean())
        for kappa, row in arms.items()
    }
    return {name: bias for name, bias in found.items() if bias > 0}


def critic(table: pandas.DataFrame) -> Drawing:
    """Table critic against samples by radius; and the three critics' gradient error against batch, κ by κ."""
    figure, axes = theme.figure(2, 2, height=5.2)
    arms = _by_radius(table, "critic", r"kappa (\d+), (\d+) samples")
    found = {f"kappa {kappa}": sweep(table, "critic", by_samples, "error") for kappa, by_samples in arms.items()}
    lines: Lines = {name: one for name, one in found.items() if one}
    draw_lines(axes[0, 0], lines, xlabel="transitions", ylabel="error / deviation of Q",
               looks={name: KAPPA[int(name[-1])] for name in lines}, scales=("log", "log"))  # fmt: skip
    axes[0, 0].set_title("Table of all pairs, 5 agents")
    frames, places = frame_of(lines, panel="critic"), []
    for ax, kappa in zip(axes.flat[1:], range(3), strict=True):
        kinds = {
            kind: {float(batch): arm for arm, (batch,) in
                   arms_like(table, "critic_kinds", rf"{kind}, kappa {kappa}, batch (\d+)").items()}
            for kind in CRITICS
        }  # fmt: skip
        found = {kind: sweep(table, "critic_kinds", by_batch, "rmse") for kind, by_batch in kinds.items()}
        lines = {kind: one for kind, one in found.items() if one}
        draw_lines(ax, lines, xlabel="trajectories", ylabel=ERROR, looks=CRITICS, scales=("log", "log"),
                   names="legend" if kappa == 0 else "none")  # fmt: skip
        ax.set_title(f"Gradient, κ = {kappa}")
        frames += frame_of(lines, panel=f"kappa {kappa}")
        places += [("critic_kinds", arm) for by_batch in kinds.values() for arm in by_batch.values()]
    places += [("critic", arm) for by_samples in arms.values() for arm in by_samples.values()]
    caption = "Error of the table critic by radius, and of gradients from the three critics at equal batch"
    return Drawing(figure, gathered(frames), used_rows(table, places, ["error", "rmse"]), caption)


SHADOW = {
    "state_entropy": Look("entropy", "#d55e00"),
    "imitation": Look("imitation", "#8c4fa8", marker="s"),
    "fairness": Look("fairness", "#009e73", marker="^"),
    "log_barrier": Look("log barrier", "#1b2a7a", marker="D"),
    "quadratic_state": Look("quadratic", "#7a7a7a", DASH),
    "transport": Look("transport", "#56b4e9", DASH),
    "risk": Look("risk", "#e69f00", DASH),
}


DEFAULT = ShadowStudy()


def shadow(table: pandas.DataFrame) -> Drawing:
    """Largest shadow reward over smoothing, bounded utilities as levels; and its stretch over the batch."""
    figure, axes = theme.figure(1, 2, height=3.5)
    smoothed = arms_like(table, "shadow", r"(\w+), smoothing (\S+)")
    plain = list(arms_like(table, "shadow", r"\w+"))
    lines: Lines = {}
    for name in SHADOW:
        arms = {float(epsilon): arm for arm, (kind, epsilon) in smoothed.items() if kind == name}
        arms |= dict.fromkeys(_spread(smoothed), name) if name in plain else {}
        if found := sweep(table, "shadow", arms, "largest"):
            lines[name] = found
    draw_lines(axes[0], lines, xlabel="smoothing inside the logarithm", ylabel="largest shadow reward", looks=SHADOW,
               scales=("log", "log"))  # fmt: skip
    axes[0].set_title("Size")
    batches = {float(batch): arm for arm, (batch,) in arms_like(table, "shadow", r"state_entropy, batch (\d+)").items()}
    batches[float(DEFAULT.batch)] = f"state_entropy, smoothing {DEFAULT.smoothing:g}"
    stretch = sweep(table, "shadow", batches, "stretch")
    over = {"state_entropy": stretch} if stretch else {}
    draw_lines(axes[1], over, xlabel="trajectories", ylabel="change of reward per change of occupancy", looks=SHADOW,
               scales=("log", "log"), ticks=sorted(batches))  # fmt: skip
    axes[1].set_title(f"Stability at smoothing {DEFAULT.smoothing:g}")
    places = [("shadow", arm) for arm in [*smoothed, *plain, *batches.values()]]
    data = gathered(frame_of(lines, panel="largest") + frame_of(over, panel="stretch"))
    caption = "Estimated shadow rewards where one state is rarely visited: size over smoothing, stability over batch"
    return Drawing(figure, data, used_rows(table, places, ["largest", "stretch"]), caption)


def _spread(smoothed: Mapping[str, tuple[str, ...]]) -> list[float]:
    """Smallest and largest smoothing that has run, or any two where none has: the ends of a level line."""
    epsilons = [float(epsilon) for _, epsilon in smoothed.values()] or [1e-8, 1e-1]
    return [min(epsilons), max(epsilons)]
