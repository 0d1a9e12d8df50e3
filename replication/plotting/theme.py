"""One look for all figures: sizes, fonts, and one colour, dash and marker per method across all papers.

The main methods have the colours of Okabe and Ito; the others were moved until the methods of one paper stay apart in
normal sight and in the three kinds of colour blindness (a test measures it). Dash, marker and label say it again.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from replication.settings import BadInput

INK = "#222222"
FAINT = "#6b6b6b"
GRID = "#e6e6e6"
PAGE_WIDTH = 7.2  # inches
RESOLUTION = 150  # dots per inch of png files

RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: equal on every machine
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9a9a9a",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.xmargin": 0.02,
    "axes.ymargin": 0.06,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 5),
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": "#9a9a9a",
    "ytick.color": "#9a9a9a",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": True,
    "legend.edgecolor": "none",
    "legend.facecolor": "white",
    "legend.framealpha": 0.85,
    "legend.fontsize": 8.0,
    "figure.facecolor": "white",
    "figure.dpi": 100.0,
    "savefig.facecolor": "white",
    "savefig.dpi": RESOLUTION,
    "savefig.bbox": None,
    "svg.fonttype": "path",
    "svg.hashsalt": "replication",  # ids in svg files follow from the content, not from a clock
    "path.simplify": True,
}


@dataclass(frozen=True)
class Look:
    """How a method is drawn everywhere."""

    label: str
    colour: str
    dash: str | tuple[int, tuple[float, ...]] = "-"
    marker: str = "o"


DASH = (0, (5.0, 2.0))
DOT = (0, (1.2, 1.6))
DASHDOT = (0, (5.0, 1.6, 1.2, 1.6))

LOOKS: dict[str, Look] = {
    # references and scripted voltage controllers
    "none": Look("none", "#787878", DOT, "x"),
    "random": Look("random", "#c6c6c6", DOT, "+"),
    "droop": Look("droop", "#56b4e9", DASH, "s"),
    "droop dead band": Look("droop, dead band", "#0072b2", DASH, "s"),
    "droop converged": Look("droop, converged", "#5d3a69", DASHDOT, "D"),
    "droop converged dead band": Look("droop, converged, dead band", "#33137b", DASHDOT, "D"),
    "ieee 1547": Look("IEEE 1547", "#7fac79", DASH, "^"),
    "constant power factor": Look("constant power factor", "#e5c16c", DASH, "v"),
    "opf": Look("OPF", "#111111", "-", "*"),
    "reward search": Look("reward search", "#374d00", DASHDOT, "P"),
    # learners
    "mappo": Look("MAPPO", "#d55e00", "-", "o"),
    "ippo": Look("IPPO", "#e69f00", "-", "o"),
    "centralised ppo": Look("centralised PPO", "#a684a9", "-", "o"),
    "mappo as shipped": Look("MAPPO as shipped", "#6f363a", DASH, "X"),
    "iql": Look("IQL", "#dfbe79", "-", "v"),
    "vdn": Look("VDN", "#b4c8bb", "-", "^"),
    "qmix": Look("QMIX", "#384c00", "-", "P"),
    "maddpg": Look("MADDPG", "#240280", "-", "s"),
    "matd3": Look("MATD3", "#7f95f8", "-", "D"),
    "iddpg": Look("IDDPG", "#5a306d", "-", "p"),
    # offline learning of radio schedulers
    "c cql": Look("C-CQL", "#0072b2", "-", "s"),
    "i cql": Look("I-CQL", "#e69f00", "-", "^"),
    "ctde cql": Look("CTDE-CQL", "#d55e00", "-", "o"),
    "bc": Look("BC", "#26b57a", "-", "v"),
    "sac": Look("SAC", "#ab88af", "-", "P"),
    "dqn": Look("DQN", "#402fa4", "-", "D"),
    "tdm": Look("TDM", "#e3c16c", DASH, "x"),
    "itlinq": Look("ITLinQ", "#111111", DASHDOT, "*"),
    "full reuse": Look("full reuse", "#676767", DASH, "+"),
    # general utilities: truncated policy gradient
    "truncated pg": Look("truncated PG", "#d55e00", "-", "o"),
    "exact": Look("exact", "#111111", DASHDOT, "*"),
    # optimal-transport alignment
    "no alignment": Look("no alignment", "#808080", DOT, "x"),
    "sliced": Look("sliced Wasserstein", "#99b5fd", "-", "D"),
    "sinkhorn": Look("Sinkhorn", "#0072b2", "-", "s"),
    "exact ot": Look("exact OT", "#41197f", DASH, "^"),
    "mmd": Look("MMD", "#38d5d1", "-", "v"),
    "kl": Look("KL", "#0b4824", "-", "P"),
    "hungarian": Look("Hungarian", "#111111", DASHDOT, "*"),
}
ALIASES = {
    "no control": "none",
    "uniform random": "random",
    "droop with dead band": "droop dead band",
    "dead band droop": "droop dead band",
    "converged droop": "droop converged",
    "ieee1547": "ieee 1547",
    "ieee 1547 2018": "ieee 1547",
    "power factor": "constant power factor",
    "ac opf": "opf",
    "search": "reward search",
    "centralized ppo": "centralised ppo",
    "ctce ppo": "centralised ppo",
    "as shipped": "mappo as shipped",
    "everything as shipped": "mappo as shipped",
    "behaviour cloning": "bc",
    "sliced wasserstein": "sliced",
    "wasserstein": "exact ot",
}
SPARE = ("#332288", "#88ccee", "#ddcc77", "#cc6677", "#aa4499", "#661100", "#6699cc", "#228833", "#ee8866", "#77aadd")
ZONES = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8866", "#44bb99", "#997700", "#6f4c9b")


def use() -> None:
    """Make the theme matplotlib's current settings (idempotent)."""
    matplotlib.rcParams.update(RC)


def figure(
    rows: int = 1, columns: int = 1, *, height: float = 3.2, width: float = PAGE_WIDTH, **subplots: Any
) -> tuple[Figure, Any]:
    """Themed figure of a page's width [inches] and its axes, as `pyplot.subplots` gives them."""
    use()
    return pyplot.subplots(rows, columns, figsize=(width, height), layout="constrained", **subplots)


def canonical(name: str) -> str:
    """The theme's own key of a method: lower case, blanks only, aliases resolved."""
    plain = re.sub(r"[\s_,;:()/-]+", " ", name.lower()).strip()
    return ALIASES.get(plain, plain)


def look(name: str) -> Look:
    """Look of a method. "droop, alpha 0.1" looks like droop; an unknown name always gets the same spare colour."""
    for known in (canonical(name), canonical(name.partition(",")[0])):
        if known in LOOKS:
            plain = LOOKS[known]
            return plain if known == canonical(name) else Look(name, plain.colour, plain.dash, plain.marker)
    number = zlib.crc32(canonical(name).encode())
    return Look(
        name, SPARE[number % len(SPARE)], (DASH, DOT, DASHDOT, "-")[number // 16 % 4], "osD^vP"[number // 64 % 6]
    )


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Looks for one picture, all of different colour: known methods keep theirs, others move to a spare one."""
    found = {name: look(name) for name in names}
    taken = {found[name].colour for name in names if canonical(name) in LOOKS}
    for name in names:
        if canonical(name) in LOOKS:
            continue
        free = [colour for colour in (found[name].colour, *SPARE) if colour not in taken]
        shade = free[0] if free else found[name].colour
        taken.add(shade)
        found[name] = Look(found[name].label, shade, found[name].dash, found[name].marker)
    return found


def colour(name: str) -> str:
    """Colour of a method, as #rrggbb."""
    return look(name).colour


def label(name: str) -> str:
    """How a method is written in a figure."""
    return look(name).label


def shades(count: int) -> list[str]:
    """`count` colours from light to dark for an ordered sweep of one method (alpha, number of agents)."""
    return [to_hex(matplotlib.colormaps["cividis"](x)) for x in np.linspace(0.85, 0.05, count)]


def zone_colours(zones: Iterable[int]) -> dict[int, str]:
    """Colour of each zone; zone 0, the trunk, is grey. More zones than colours: they repeat."""
    return {zone: "#9a9a9a" if zone == 0 else ZONES[(zone - 1) % len(ZONES)] for zone in sorted(set(map(int, zones)))}


def caption(text: str, *, n: int | str, what: str = "seeds", profile: str = "full") -> str:
    """Caption with the sample size: bands and bars of this project are always 95 % intervals."""
    if not text.strip():
        raise BadInput("a caption needs a text; say what is drawn")
    sentence = text.strip().rstrip(".") + "."
    preview = "" if profile == "full" else f" Profile {profile}: a preview, not evidence."
    return f"{sentence} Bands and bars: 95 % intervals over n = {n} {what}.{preview}"


def mark_profile(figure: Figure, profile: str) -> None:
    """Write the profile on the face of a picture that is not of the full profile (once, however often called)."""
    if profile == "full" or any(text.get_gid() == "profile-mark" for text in figure.texts):
        return
    words = f"{profile} profile \u2013 preview, not evidence"
    figure.text(
        0.5,
        0.5,
        profile.upper(),
        gid="profile-mark",
        ha="center",
        va="center",
        fontsize=64,
        color="#b03030",
        alpha=0.07,
        weight="bold",
        zorder=100,
        in_layout=False,
    )
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):  # room above for the line of small print
        engine.set(rect=(0, 0, 1, 1 - 0.22 / figure.get_size_inches()[1]))
    figure.text(
        0.995, 0.995, words, gid="profile-mark", ha="right", va="top", fontsize=7.5, color="#b03030", in_layout=False
    )
