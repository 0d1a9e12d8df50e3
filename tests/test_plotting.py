"""Figures: one look, no overlapping names, the plotted numbers are the given ones, trees without crossings."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from replication.plotting import curves, labels, networks, tables, theme
from replication.seeding import stream
from replication.settings import BadInput
from replication.stats.intervals import Band, Estimate

# Machado, Oliveira, Fernandes 2009: linear RGB seen with full protanopia, deuteranopia, tritanopia.
SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TOGETHER = {
    "voltage": "none|random|droop|droop_dead_band|droop_converged|droop_converged_dead_band|ieee1547|opf|reward_search|"
    "constant_power_factor|MAPPO|IPPO|centralised PPO|MAPPO as shipped",
    "learners": "MAPPO|IPPO|centralised PPO|MAPPO as shipped|IQL|VDN|QMIX|MADDPG|MATD3|IDDPG",
    "radio": "random|C-CQL|I-CQL|CTDE-CQL|BC|SAC|DQN|TDM|ITLinQ|full reuse",
    "utilities": "truncated PG|exact|random|IPPO",
    "transport": "MAPPO|IPPO|no alignment|sliced|sinkhorn|exact OT|MMD|KL|hungarian",
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def noise(*shape, purpose="pictures"):
    return stream(f"test of {purpose}").normal(size=shape)


def lab(colour, sight):
    """CIE L*a*b* of a colour as seen with the given sight."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHT[sight]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x = to_xyz @ seen / (0.95047, 1.0, 1.08883)
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("paper", TOGETHER)
def test_methods_of_one_paper_stay_apart_in_every_sight(paper, sight):
    names = TOGETHER[paper].split("|")
    assert all(theme.canonical(name) in theme.LOOKS for name in names)
    seen = {name: lab(theme.colour(name), sight) for name in names}
    closest = min((float(np.linalg.norm(seen[a] - seen[b])), a, b) for a, b in combinations(names, 2))
    assert closest[0] > 15.0, closest


def test_a_method_looks_the_same_however_it_is_written():
    assert theme.look("droop_dead_band") == theme.look("Droop, dead band") == theme.look("droop with dead band")
    assert theme.look("ieee1547") == theme.look("IEEE 1547-2018")
    assert theme.look("mappo").label == "MAPPO"
    variant = theme.look("droop, alpha 0.1")
    assert (variant.colour, variant.label) == (theme.colour("droop"), "droop, alpha 0.1")


def test_unknown_methods_have_a_lasting_colour_and_never_a_neighbours():
    assert theme.look("gamma 0.99") == theme.look("gamma 0.99")
    names = ["MAPPO", *(f"arm {k}" for k in range(9)), "droop, alpha 0.1", "droop, alpha 0.01"]
    chosen = theme.looks(names)
    assert len({look.colour for look in chosen.values()}) == len(names)
    assert chosen["MAPPO"] == theme.look("MAPPO")
    assert theme.looks(names) == chosen


def test_shades_run_from_light_to_dark():
    lightness = [lab(shade, "normal")[0] for shade in theme.shades(5)]
    assert all(a > b + 5 for a, b in pairwise(lightness))


def test_caption_states_the_sample_and_the_profile():
    assert theme.caption("CR over steps", n=20) == "CR over steps. Bands and bars: 95 % intervals over n = 20 seeds."
    assert theme.caption("CR.", n=5, profile="quick").endswith("n = 5 seeds. Profile quick: a preview, not evidence.")
    with pytest.raises(BadInput):
        theme.caption(" ", n=1)


@pytest.mark.parametrize(("profile", "marks"), [("full", 0), ("quick", 2), ("smoke", 2)])
def test_only_other_profiles_mark_the_picture_and_only_once(profile, marks):
    figure, _ = theme.figure()
    for _ in range(2):
        theme.mark_profile(figure, profile)
    assert len(figure.texts) == marks
    assert all(profile in text.get_text().lower() for text in figure.texts)


def test_spread_keeps_order_gap_and_moves_as_little_as_possible():
    assert np.allclose(labels.spread(np.array([0.1, 0.5, 0.9]), 0.1), [0.1, 0.5, 0.9])
    assert np.allclose(labels.spread(np.array([0.5, 0.5]), 0.2), [0.4, 0.6])
    wanted = np.abs(noise(12)) / 3
    moved = labels.spread(wanted, 0.05)
    ordered = moved[np.argsort(wanted, kind="stable")]
    assert np.all(np.diff(ordered) >= 0.05 - 1e-12)
    for _ in range(200):  # no other allowed placement is nearer
        other = np.sort(moved + 0.02 * noise(12, purpose=f"spread {_}"))
        other = other[np.argsort(np.argsort(wanted, kind="stable"))]
        if np.all(np.diff(np.sort(other)) >= 0.05):
            assert np.sum((other - wanted) ** 2) >= np.sum((moved - wanted) ** 2) - 1e-12
    assert labels.spread(np.array([0.99, 1.0, 0.98]), 0.1, highest=1.0).max() <= 1.0
    assert labels.spread(np.array([0.01, 0.0]), 0.1, lowest=0.0).min() >= 0.0


def band(end, spread=0.01, steps=30):
    middle = end * (1 - np.exp(-np.arange(steps) / 6))
    return Band(middle, middle - spread, middle + spread, 10)


def boxes(texts):
    figure = texts[0].get_figure(root=True)
    figure.draw_without_rendering()
    return [text.get_window_extent() for text in texts]


CROWD = {"MAPPO": band(0.99), "IPPO": band(0.985), "centralised PPO": band(0.98), "MAPPO as shipped": band(0.979)}
LEVELS = {"droop": 0.987, "droop dead band": 0.995, "OPF": 1.0, "none": 0.3}


def test_curves_show_the_given_numbers_and_names_never_overlap():
    _, ax = theme.figure(1, 2, height=2.6)
    ax = ax[0]
    assert curves.learning_curves(ax, np.arange(30), CROWD, xlabel="step", ylabel="CR", references=LEVELS) is ax
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    for name, curve in CROWD.items():
        assert np.array_equal(drawn[name], curve.middle)
    low, high = ax.collections[0].get_datalim(ax.transData).intervaly
    assert (low, high) == pytest.approx((CROWD["MAPPO"].low.min(), CROWD["MAPPO"].high.max()))
    names = [text for text in ax.texts if text.get_gid() == "direct-label"]
    assert sorted(text.get_text() for text in names) == sorted(theme.label(name) for name in [*CROWD, *LEVELS])
    assert not any(a.overlaps(b) for a, b in combinations(boxes(names), 2))
    picture = ax.figure.bbox
    assert all(picture.x0 <= box.x0 and box.x1 <= picture.x1 and box.y1 <= picture.y1 for box in boxes(names))


def test_curves_refuse_lengths_that_disagree():
    _, ax = theme.figure()
    with pytest.raises(BadInput, match="curve 'MAPPO': 30 values over 29 steps"):
        curves.learning_curves(ax, np.arange(29), CROWD, xlabel="step", ylabel="CR")


def test_dots_are_seeds_and_bars_are_intervals():
    _, ax = theme.figure()
    values = 0.9 + 0.01 * noise(20)
    rows = {"MAPPO": (values, Estimate(0.9, 0.88, 0.92, 20)), "droop": ([0.95], None)}
    curves.dots_and_intervals(ax, rows, xlabel="CR", references={"OPF": 1.0})
    dots = next(line for line in ax.lines if len(line.get_xdata()) == 20)
    assert np.array_equal(np.sort(dots.get_xdata()), np.sort(values))
    assert any(np.array_equal(line.get_xdata(), [0.88, 0.92]) for line in ax.lines)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["MAPPO", "droop"]
    assert np.ptp(ax.get_ylim()) > 0
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # first row on top


def test_names_of_reference_lines_do_not_run_into_each_other_or_the_title():
    _, ax = theme.figure()
    rows = {"MAPPO": (0.9 + 0.01 * noise(20), Estimate(0.9, 0.88, 0.92, 20))}
    levels = {"droop dead band": 0.90, "droop": 0.901, "OPF": 0.903, "none": 0.87}
    curves.dots_and_intervals(ax, rows, xlabel="CR", references=levels)
    ax.set_title("controllable rate")
    names = ax.child_axes[0].get_xticklabels()
    drawn = [(text.get_text(), box) for text, box in zip(names, boxes(names), strict=True)]
    assert [text.strip() for text, _ in drawn] == ["none", "droop, dead band", "droop", "OPF"]
    for (a, first), (b, second) in combinations(drawn, 2):
        if first.x0 < second.x1 and second.x0 < first.x1:  # they share columns: then not the row
            assert a.count("\n") != b.count("\n"), (a, b)
    title = ax._left_title.get_window_extent()
    assert not any(box.overlaps(title) for _, box in drawn)


def test_day_profiles_span_the_day_and_show_the_limits():
    _, ax = theme.figure()
    hours = np.linspace(0, 23.5, 30)
    curves.day_profiles(ax, hours, {"none": band(1.0), "OPF": band(0.9)}, ylabel="v", limits=(0.95, 1.05))
    assert ax.get_xlim() == (0, 24)
    assert {0.95, 1.05} <= {line.get_ydata()[0] for line in ax.lines}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["none", "OPF"]


def test_heat_map_shows_the_matrix_with_cells_centred_on_their_names():
    _, ax = theme.figure()
    values = 1 + 0.02 * noise(4, 6)
    curves.heat_map(
        ax, values, rows=range(4), columns=np.arange(6) * 0.5, xlabel="hour", ylabel="bus", colour_label="v", centre=1.0
    )
    image = ax.images[0]
    assert np.array_equal(image.get_array(), values)
    assert image.get_extent() == [-0.25, 2.75, -0.5, 3.5]
    assert np.allclose(image.cmap(image.norm(1.0))[:3], 0.968, atol=0.01)  # the centre is near white
    with pytest.raises(BadInput, match="4 rows and 5 columns named"):
        curves.heat_map(ax, values, rows=range(4), columns=range(5), xlabel="", ylabel="", colour_label="")


def random_tree(size, seed):
    draw = stream("test of trees", size, seed)
    return np.array([-1] + [k - 1 if draw.random() < 0.6 else int(draw.integers(0, k)) for k in range(1, size)])


def elbow(x, y, parent, bus):
    """Points of one drawn line on the half-unit lattice, its two ends left out."""
    p = parent[bus]
    rise = np.sign(y[bus] - y[p])
    vertical = [(x[p], y[p] + rise * k / 2) for k in range(int(2 * abs(y[bus] - y[p])) + 1)]
    return {*vertical, (x[p] + 0.5, y[bus])} - {(x[p], y[p])}


@pytest.mark.parametrize(("size", "seed"), [(1, 0), (2, 0), (9, 1), (33, 2), (33, 3), (141, 4), (322, 5), (322, 6)])
def test_trees_are_drawn_without_crossings(size, seed):
    parent = random_tree(size, seed)
    x, y = networks.tree_layout(parent)
    places = {(a, b) for a, b in zip(x, y, strict=True)}
    assert len(places) == size
    lines: dict = {}
    for bus in range(1, size):
        assert x[bus] == x[parent[bus]] + 1
        for point in elbow(x, y, parent, bus):
            assert point not in places, (bus, point)
            assert lines.setdefault(point, parent[bus]) == parent[bus], (bus, point)
    again = networks.tree_layout(parent)
    assert np.array_equal(again[0], x)
    assert np.array_equal(again[1], y)


def test_the_longest_path_is_straight():
    parent = np.array([-1, 0, 1, 1, 2, 4, 3])  # 0-1-2-4-5 is longest
    _, y = networks.tree_layout(parent)
    assert np.all(y[[0, 1, 2, 4, 5]] == 0)
    assert y[3] == y[6] != 0


def test_feeder_picture_colours_zones_and_rings_inverters():
    _, ax = theme.figure()
    parent = random_tree(33, 7)
    zone = np.repeat([0, 1, 2], 11)
    assert networks.draw_feeder(ax, parent, zone=zone, pv_bus=[12, 30]) is ax
    rings, buses = ax.collections[1], ax.collections[2]
    assert len(rings.get_offsets()) == 2
    assert np.array_equal(buses.get_offsets()[12], rings.get_offsets()[0])
    assert len(np.unique(buses.get_facecolors(), axis=0)) == 3
    assert {"zone 1", "zone 2", "32"} <= {text.get_text() for text in ax.texts}


def test_feeder_picture_can_show_a_value_per_bus():
    _, ax = theme.figure()
    voltage = 1 - 0.001 * np.arange(141)
    networks.draw_feeder(ax, random_tree(141, 8), values=voltage, value_label="voltage [p.u.]")
    assert np.array_equal(ax.collections[2].get_array(), voltage)
    assert not ax.texts


@pytest.mark.parametrize(
    ("parent", "message"),
    [
        ([0, 0], "starts with -1"),
        ([-1, 1], "bus 1 is fed from 1"),
        ([-1, 0, 5], "bus 2 is fed from 5"),
        ([], "one row"),
    ],
)
def test_what_is_no_tree_is_refused(parent, message):
    with pytest.raises(BadInput, match=message):
        networks.tree_layout(np.array(parent, dtype=int))


ROW = {
    "id": "V1",
    "statement": "MAPPO is <poor> | here.",
    "status": "reproduced",
    "label": "",
    "estimate": "difference 0.2 [0.1, 0.3], n = 20",
    "rule": "cr: a below b",
    "note": "",
    "where": "section 5",
    "evidence": "own text",
    "primary": True,
}


def test_verdict_table_in_both_styles():
    rows = [ROW, {**ROW, "id": "V2", "status": "contradicted", "label": "post hoc", "note": "late", "primary": False}]
    lines = tables.verdict_table(rows).splitlines()
    assert lines[0] == "| claim | verdict | what we find | rule | source |"
    assert lines[2] == (
        "| **V1** (primary) MAPPO is <poor> \\| here. | \u2713 reproduced | difference 0.2 [0.1, 0.3], n = 20 "
        "| cr: a below b | section 5 (own text) |"
    )
    assert "\u2717 contradicted (post hoc) | difference 0.2 [0.1, 0.3], n = 20 \u2013 late |" in lines[3]
    page = tables.verdict_table(rows, "html")
    assert "MAPPO is &lt;poor&gt; | here." in page
    assert page.count("<tr>") == 3
    with pytest.raises(BadInput, match="unknown table style 'latex'"):
        tables.verdict_table(rows, "latex")


def test_a_claim_that_has_not_run_shows_a_dash_and_others_their_estimate_and_note():
    missing = {**ROW, "status": "not run", "estimate": "? no data; ? no data", "note": "no score of teams/independent"}
    for status in ("not run", "preview: not run"):
        row = tables.verdict_table([{**missing, "status": status}]).splitlines()[2]
        assert row.split(" | ")[1:3] == [f"\u2013 {status}", "\u2013"]
    few = {**missing, "status": "inconclusive", "estimate": "0.2, n = 2", "note": "n below 20"}
    assert tables.verdict_table([few]).splitlines()[2].split(" | ")[2] == "0.2, n = 2 \u2013 n below 20"


@pytest.mark.parametrize("status", ["preview: partly", "inconclusive (post hoc)", "not run", "blocked"])
def test_every_status_has_its_mark(status):
    cell = tables.verdict_table([{**ROW, "status": status, "label": "post hoc" if "post" in status else ""}])
    assert f"{tables.MARKS[next(s for s in tables.MARKS if s in status)]} {status} |" in cell
