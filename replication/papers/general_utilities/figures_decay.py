"""Pictures of decay: who influences whom, how influence falls with distance and with size, what truncation costs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, LogLocator

from replication.drawing import Drawing, seeds_of, used_rows
from replication.drawing_lines import (
    EMPTY,
    Lines,
    arms_like,
    draw_lines,
    frame_of,
    gathered,
    line,
    plain_number,
    sweep,
)
from replication.envs.networked_mdp import LinearRule, NetworkModel
from replication.papers.general_utilities.figures import network_looks
from replication.papers.general_utilities.measures import front_bound
from replication.plotting import labels, theme
from replication.plotting.theme import Look
from replication.stats.intervals import Band

RADII = range(4)
FRONT = "front bound"
ROUNDING = 1e-12


def networks(models: Mapping[str, NetworkModel], influence: Mapping[str, np.ndarray]) -> Drawing:
    """Each network as a ring, who listens to whom as lines, and the influence (n,) on agent 0 as colours."""
    figure, axes = theme.figure(1, len(models), height=2.9)
    everything = np.concatenate([influence[name] for name in models])
    scale = LogNorm(float(everything.min()), float(everything.max()))
    frames = []
    for ax, (name, model) in zip(np.atleast_1d(axes), models.items(), strict=True):
        dots = _ring(ax, model, influence[name], scale)
        ax.set_title(name)
        columns = {"network": name, "agent": range(model.agents), "distance": model.distance[0]}
        frames.append(pandas.DataFrame(columns | {"influence": influence[name]}))
    bar = figure.colorbar(dots, ax=axes, pad=0.02, fraction=0.03, ticks=LogLocator(subs=(1, 2, 5), numticks=12),
                          format=FuncFormatter(plain_number))  # fmt: skip
    bar.minorticks_off()
    bar.set_label("influence on Q of agent 0")
    bar.outline.set_visible(False)
    caption = "How much an agent's state and action can move the shadow Q of agent 0 (ringed), by enumeration"
    return Drawing(figure, gathered(frames), EMPTY, caption)


def _ring(ax: Axes, model: NetworkModel, influence: np.ndarray, scale: LogNorm):
    """Agents on a circle, agent 0 on top; a line is as wide as the weight between its ends."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(model.agents) / model.agents
    x, y = np.cos(angle), np.sin(angle)
    weight = model.rule.mixing if isinstance(model.rule, LinearRule) else 0.3 * model.adjacency
    for i, j in zip(*np.triu_indices(model.agents, 1), strict=True):
        if weight[i, j] > 0:
            ax.plot(x[[i, j]], y[[i, j]], color="#9a9a9a", lw=8 * weight[i, j], zorder=1)
    dots = ax.scatter(x, y, s=420, c=influence, cmap="cividis_r", norm=scale, lw=0, zorder=2)
    ax.scatter(x[:1], y[:1], s=520, facecolors="none", edgecolors=theme.INK, linewidths=1.6, zorder=3)
    for agent, value in enumerate(influence):
        dark = float(scale(value)) > 0.45
        ax.text(x[agent], y[agent], f"{value:.2g}", ha="center", va="center", fontsize=7,
                color="white" if dark else theme.INK, zorder=4)  # fmt: skip
    ax.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
    ax.axis("off")
    return dots


def decay(table: pandas.DataFrame, discount: float = 0.9) -> Drawing:
    """s(κ) of every network at one discount with the front bound, and what size does to far influence."""
    figure, axes = theme.figure(1, 2, height=3.7, width_ratios=(1.15, 1.0))
    arms = arms_like(table, "decay", rf"(.+), gamma {discount:g}")
    lines = {name: found for arm, (name,) in arms.items() if (found := _over_radius(table, "decay", arm, "s", RADII))}
    looks = network_looks(list(lines))
    if lines:
        x = np.arange(len(RADII), dtype=float)
        bound = front_bound(x, discount)
        lines[FRONT], looks[FRONT] = (x, Band(bound, bound, bound, 1)), Look(FRONT, theme.INK, theme.DOT, "")
    draw_lines(axes[0], lines, xlabel="radius κ [hops]", ylabel="influence from beyond κ, s(κ)", looks=looks,
               ticks=RADII)  # fmt: skip
    axes[0].set_title(f"Eight agents, discount {discount:g}")
    shares, places = far_shares(table)
    draw_lines(axes[1], shares, xlabel="agents", ylabel="share of influence from beyond κ = 3",
               looks=network_looks(list(shares)), scales=("log", "linear"),
               ticks=sorted({float(n) for n, _ in shares.values() for n in n}))  # fmt: skip
    axes[1].set_title("More network far away")
    used = [used_rows(table, [("decay", arm) for arm in arms], [f"s{kappa}" for kappa in RADII]),
            used_rows(table, places, ["far_share"])]  # fmt: skip
    data = frame_of(lines, panel="decay") + frame_of(shares, panel="growth")
    caption = "Influence of what happens beyond radius κ: over κ by enumeration, over size by closed form"
    return Drawing(figure, gathered(data), pandas.concat(used), caption)


def far_shares(table: pandas.DataFrame) -> tuple[Lines, list[tuple[str, str]]]:
    """Share of influence from beyond three hops over the number of agents, one line per coupling; and their arms."""
    sizes: dict[str, dict[float, str]] = {}
    for arm, (name, agents) in arms_like(table, "growth", r"(.+), (\d+) agents").items():
        sizes.setdefault(name, {})[float(agents)] = arm
    lines = {name: found for name, arms in sizes.items() if (found := sweep(table, "growth", arms, "far_share"))}
    return lines, [("growth", arm) for arms in sizes.values() for arm in arms.values()]


def truncation(table: pandas.DataFrame, agents: int = 7) -> Drawing:
    """Relative error of the exact truncated gradient over κ, by network and by temperature of the policies."""
    figure, axes = theme.figure(1, 2, height=3.4, sharey=True, width_ratios=(1.1, 1.0))
    plain = list(arms_like(table, "truncation", r"[^,]+"))
    warm = arms_like(table, "truncation", r"(.+), temperature (.+)")
    panels = _by_network(table, plain), _by_temperature(table, warm)
    for ax, (lines, looks), title in zip(axes, panels, ("By network", "By temperature"), strict=True):
        draw_lines(ax, lines, xlabel="radius κ [hops]", ylabel="", looks=looks, ticks=range(3))
        ax.set_title(title)
    axes[0].set_ylabel("error of the truncated gradient, share")
    base = next((network for network, _ in warm.values()), "")
    axes[1].set_title(f"{base} by temperature" if base else "By temperature")
    beyond = np.array([1 - (2 * kappa + 1) / agents for kappa in range(3)])
    axes[0].plot(range(3), beyond, color=theme.INK, ls=theme.DOT, lw=1.2, zorder=1.5)
    axes[0].annotate("share of agents beyond κ", (1, beyond[1]), (4, 4), textcoords="offset points",
                     fontsize=labels.SIZE)  # fmt: skip
    data = frame_of(panels[0][0], panel="network") + frame_of(panels[1][0], panel="temperature")
    used = used_rows(table, [("truncation", arm) for arm in [*plain, *warm]], [f"error{kappa}" for kappa in range(3)])
    caption = f"What truncation to radius κ does to the exact gradient of {agents} agents at random policies"
    return Drawing(figure, gathered(data), used, caption)


def _by_network(table: pandas.DataFrame, arms: list[str]) -> tuple[Lines, dict[str, Look]]:
    lines = {arm: found for arm in arms if (found := _over_radius(table, "truncation", arm, "error", range(3)))}
    return lines, network_looks(list(lines))


def _by_temperature(table: pandas.DataFrame, warm: Mapping[str, tuple[str, ...]]) -> tuple[Lines, dict[str, Look]]:
    """One line per temperature, cold ones dark; the network's own arm is at temperature 1."""
    arms = {float(temperature): arm for arm, (_, temperature) in warm.items()}
    if warm:
        arms[1.0] = next(iter(warm.values()))[0]
    found = {t: _over_radius(table, "truncation", arms[t], "error", range(3)) for t in sorted(arms, reverse=True)}
    lines = {f"temperature {t:g}": line for t, line in found.items() if line}
    shades = theme.shades(len(lines)) if lines else []
    return lines, {name: Look(name, shade) for name, shade in zip(lines, shades, strict=True)}


def _over_radius(
    table: pandas.DataFrame, experiment: str, arm: str, stem: str, radii: Sequence[int]
) -> tuple[np.ndarray, Band] | None:
    """A line over κ from an arm's scores stem0, stem1 and so on; what is only rounding counts as zero."""
    found = {kappa: seeds_of(table, experiment, arm, f"{stem}{kappa}") for kappa in radii}
    return line({kappa: np.where(values > ROUNDING, values, 0.0) for kappa, values in found.items()})
