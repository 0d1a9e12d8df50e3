"""Figures of the radio notebook: drawn from full, small and empty tables, with the given numbers, paired by seed."""

import re
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas
import pytest
from figure_checks import checked, table_of
from matplotlib.colors import to_rgb
from matplotlib.text import Text

import replication
from replication.algos.online_settings import OnlineSettings
from replication.drawing import COLUMNS
from replication.drawing_lines import names_beside
from replication.papers.radio_resource import arms, figures
from replication.papers.radio_resource import figures_learning as learning
from replication.plotting import theme
from replication.seeding import keys, stream

pytestmark = pytest.mark.usefixtures("close_figures")

ROOT = Path(replication.__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "02_radio_resource.py"

ARMS = {
    "schedulers": arms.scheduler_arms,
    "behaviour": arms.behaviour_arms,
    "online": arms.online_arms,
    "paradigms": arms.paradigm_arms,
    "learners": arms.learner_arms,
    "wide": arms.wide_arms,
}
PLAYED = ("score", "sum_rate", "tail_rate", "reward", "pooled_tail_rate")
LOOKED_AT = np.array([0, 10, 20])


def made_up(profile, seeds):
    """A score table and curves with every arm of the profile and positive numbers without meaning."""
    draw = stream("made-up radio scores", seeds)
    rows, curves = [], {}
    for experiment, arms_of in ARMS.items():
        for number, arm in enumerate(arms_of(profile)):
            prefixes = ["", *(["best_"] if experiment not in ("schedulers", "behaviour") else [])]
            prefixes += ["sampled_"] if arm.startswith("cloning") else []
            metrics = [f"{prefix}{metric}" for prefix in prefixes for metric in PLAYED] + ["validation_score", "mean_q"]
            for metric in metrics:
                values = draw.lognormal(0.0, 0.2, seeds)
                rows += [(experiment, arm, s, metric, v, f"key {experiment} {number}") for s, v in enumerate(values)]
            curves.setdefault(experiment, {})[arm] = {
                "served": draw.integers(-1, 3, (seeds, 20, 2)) + np.array([0, 3]) * 1,
                "rate_quantiles": np.sort(draw.lognormal(-1, 0.5, (seeds, 101)), axis=1),
                **{f"evaluated_{name}": draw.lognormal(0, 0.1, (seeds, 3)) for name in ("score", "reward")},
                "_evaluated_at": LOOKED_AT, "mean_q": draw.lognormal(2, 0.1, (seeds, 2)), "_updates": LOOKED_AT[1:],
            }  # fmt: skip
    return pandas.DataFrame(rows, columns=COLUMNS), curves


def every(table, curves):
    """All drawings that rest on scores."""
    return {
        "schedules": figures.schedules(table, curves),
        "schedulers": figures.schedulers(table),
        "rates": figures.rates(table, curves),
        "reward_and_score": figures.reward_and_score(table),
        "paradigms": learning.paradigms(table),
        "learners": learning.learners(table),
        "training": learning.training(table, curves),
        "online": learning.online(table, curves),
        "checkpoints": learning.checkpoints(table),
    }


def test_every_arm_of_the_full_profile_is_in_some_picture_and_has_a_look():
    drawings = every(*made_up("full", 2))
    checked(drawings)
    used = pandas.concat([drawing.used for drawing in drawings.values()])
    wanted = {(experiment, arm) for experiment, arms_of in ARMS.items() for arm in arms_of("full")}
    assert wanted - set(zip(used["experiment"], used["arm"], strict=True)) == set()
    assert {arm for _, arm in wanted} <= set(figures.LOOKS)


def test_methods_of_one_picture_are_told_apart():
    for names in (figures.SCHEDULERS, figures.WATCHED, figures.RATED, learning.TRAINED, arms.online_arms("full")):
        looks = [learning.LOOKS[name] for name in names]
        for one, other in combinations(looks, 2):
            apart = np.abs(np.subtract(to_rgb(one.colour), to_rgb(other.colour))).max()
            assert apart > 0.1 or one.marker != other.marker, (one.label, other.label)
            assert one.label != other.label


def test_every_figure_is_drawn_from_the_few_arms_of_the_smoke_profile_with_one_seed():
    drawings = every(*made_up("smoke", 1))
    checked(drawings)


def test_every_figure_is_drawn_before_anything_has_run():
    checked(every(table_of([]), {}), filled=())


def test_the_layout_shows_the_world_as_it_is():
    world = replication.make("radio/4x24", num_envs=2)
    world.reset(keys("a picture", count=2))
    drawing = figures.cell_layout(world, 1)
    data = drawing.data
    links = world.long_term_snr[1]
    assert data["access point"].tolist() == links.argmax(axis=0).tolist() == world.serving[1].tolist()
    assert data[["x", "y"]].to_numpy() == pytest.approx(world.users[1])
    others = links.sum(axis=0) - links.max(axis=0)
    assert data["snr_db"].to_numpy() == pytest.approx(10 * np.log10(links.max(axis=0)))
    assert data["sinr_db"].to_numpy() == pytest.approx(10 * np.log10(links.max(axis=0) / (1 + others)))
    drawing.figure.draw_without_rendering()
    left = drawing.figure.axes[0]
    assert len(left.get_lines()) == 24
    assert left.get_xlim() == left.get_ylim() == (0, world.settings.area)


def test_a_user_has_one_colour_in_all_panels_and_off_is_white():
    served = np.array([[[0, 2], [1, -1], [0, 3]]])
    place = {"served": served}, {"served": served[:, ::-1]}
    curves = {"schedulers": {"ITLinQ": place[0], "oracle, top 3": place[1]}}
    drawing = figures.schedules(table_of([("schedulers", "ITLinQ", s, "score", 1.0) for s in (3, 4)]), curves)
    first, second = (ax.images[0].get_array() for ax in drawing.figure.axes)
    assert first.shape == (2, 3, 3)
    assert np.array_equal(first[:, ::-1], second)
    assert first[1, 1].tolist() == [1, 1, 1]
    colours = [first[0, 0], first[0, 1], first[1, 0], first[1, 2], first[1, 1]]
    assert all(np.abs(a - b).max() > 0.2 for a, b in combinations(colours, 2))
    assert first[0, 0].tolist() == first[0, 2].tolist()
    assert drawing.used["seed"].tolist() == [3]  # the picture is of one seed
    assert drawing.figure.axes[0].get_title("right") == "off 17%"


def test_terms_of_the_score_add_up_and_the_best_stands_first():
    rows = []
    for arm, total, tail, reward in (("random", 12.0, 0.1, 0.9), ("ITLinQ", 9.6, 0.3, 0.8)):
        for seed, scale in enumerate((0.9, 1.1)):
            values = {"sum_rate": total, "tail_rate": tail, "reward": reward, "score": total / 24 + 3 * tail}
            rows += [("schedulers", arm, seed, metric, scale * value) for metric, value in values.items()]
    drawing = figures.schedulers(table_of(rows))
    assert drawing.data.groupby("arm", sort=False)["middle"].sum().to_dict() == pytest.approx(
        {"ITLinQ": 1.3, "random": 0.8}
    )
    left, right = drawing.figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["ITLinQ", "random"]
    bars = [(bar.get_x(), bar.get_width()) for bar in left.patches]
    assert bars == [pytest.approx(bar) for bar in ((0, 0.4), (0, 0.5), (0.4, 0.9), (0.5, 0.3))]
    assert [text.get_text() for text in right.texts] == ["rank", "2.", "1."]


def test_rates_show_the_given_quantiles_and_zero_on_a_logarithmic_axis():
    quantiles = np.linspace(0.0, 2.0, 101) * np.array([[0.5], [1.5]])
    drawing = figures.rates(table_of([]), {"paradigms": {"CTDE": {"rate_quantiles": quantiles}}})
    at = drawing.data.set_index("share").loc[5.0]
    assert (at["middle"], at["n"]) == (pytest.approx(0.1), 2)
    drawing.figure.draw_without_rendering()


def test_methods_are_compared_on_the_same_layouts():
    rows = []
    for seed, level in enumerate((1.0, 4.0, 0.2)):
        rows += [("schedulers", "ITLinQ", seed, metric, level) for metric in ("score", "tail_rate", "reward")]
        rows += [("paradigms", "CTDE", seed, "score", 1.2 * level), ("paradigms", "CTDE", seed, "tail_rate", 2 * level)]
        rows += [("paradigms", "CTDE", seed, "reward", 1.1 * level)]
    rows += [("paradigms", "CTDE", 3, "score", 9.0)]  # a seed the scheduler does not have
    table = table_of(rows)
    data = learning.paradigms(table).data
    assert data[data["metric"] == "score"]["value"].tolist() == pytest.approx([1.2] * 3)
    assert data[data["metric"] == "tail_rate"]["value"].tolist() == pytest.approx([2.0] * 3)
    both = figures.reward_and_score(table).data
    assert both[both["method"] == "CTDE"][["reward", "score"]].to_numpy() == pytest.approx(np.tile([1.1, 1.2], (3, 1)))


def test_sampled_clones_are_rows_of_their_own():
    rows = [("schedulers", "ITLinQ", 0, "score", 1.0), ("schedulers", "ITLinQ", 0, "sum_rate", 10.0)]
    rows += [("learners", "cloning", 0, "score", 1.3), ("learners", "cloning", 0, "sampled_score", 1.1)]
    rows += [("learners", "cloning", 0, "sampled_sum_rate", 5.0)]
    data = learning.learners(table_of(rows)).data.set_index(["arm", "metric"])["value"]
    assert data["cloning", "score"] == pytest.approx(1.3)
    assert data["cloning, sampled", "score"] == pytest.approx(1.1)
    assert data["cloning, sampled", "sum_rate"] == pytest.approx(0.5)


def test_values_stand_beside_what_the_reward_is_worth_for_ever():
    one = {
        "evaluated_score": np.ones((2, 2)), "evaluated_reward": np.array([[0.5, 0.8], [0.7, 1.0]]),
        "_evaluated_at": np.array([0, 100]), "mean_q": np.array([[8.0], [10.0]]), "_updates": np.array([100]),
    }  # fmt: skip
    drawing = learning.training(table_of([]), {"paradigms": {"CTDE": one}})
    data = drawing.data
    worth = data[data["quantity"] == "worth of reward"]
    discount = arms.paradigm_arms("full")["CTDE"].learner.discount
    assert worth["middle"].to_numpy() == pytest.approx(np.array([0.6, 0.9]) / (1 - discount))
    mean_q = data[data["quantity"] == "mean Q"]
    assert mean_q[["x", "middle"]].to_numpy().tolist() == [[100.0, 9.0]]


def test_online_learning_is_drawn_over_the_transitions_of_all_lanes():
    one = {"evaluated_score": np.ones((2, 2)), "_evaluated_at": np.array([500, 2000])}
    table = table_of(
        [("schedulers", "ITLinQ", s, "score", 1.5) for s in range(3)] + [("online", "DQN", 0, "score", 1.0)]
    )
    drawing = learning.online(table, {"online": {"DQN": one}})
    assert drawing.data["x"].tolist() == [500 * OnlineSettings().envs, 2000 * OnlineSettings().envs]
    names = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert sorted(names) == ["ITLinQ", "online DQN"]


def test_last_and_best_are_joined_seed_by_seed():
    rows = [("schedulers", "ITLinQ", s, "score", 2.0) for s in range(4)]
    rows += [("paradigms", "CTDE", s, "score", 2.0 + s) for s in range(4)]
    rows += [("paradigms", "CTDE", s, "best_score", 3.0 + s) for s in range(4)]
    rows += [("wide", "CTDE", s, "score", 1.0 + s) for s in (2, 3, 4)]
    data = learning.checkpoints(table_of(rows)).data
    pairs = data[["last", "best"]].dropna().to_numpy()
    assert pairs == pytest.approx(np.array([[2.0, 3], [3, 4], [4, 5], [5, 6]]) / 2)
    assert data[["64 wide", "256 wide"]].dropna().to_numpy() == pytest.approx(np.array([[4.0, 3], [5, 4]]) / 2)


def test_names_beside_points_hide_neither_each_other_nor_a_point():
    figure, ax = theme.figure(height=4.4)
    draw = stream("crowded points")
    names = list(figures.SCATTERED)[:12]
    points = {name: tuple(draw.normal(size=2) * 0.1 + 1) for name in names} | {"oracle": (3.0, 3.0)}
    for x, y in points.values():
        ax.plot([x], [y], "o", ms=5)
    ax.margins(0.1)
    names_beside(ax, points, figures.LOOKS)
    figure.draw_without_rendering()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in ax.texts}  # without leaders
    assert len(boxes) == len(points)
    overlapping = [
        (a, b) for a, b in combinations(boxes, 2) if boxes[a].shrunk(0.95, 0.8).overlaps(boxes[b].shrunk(0.95, 0.8))
    ]
    assert overlapping == []
    hidden = [name for name, box in boxes.items() for at in points.values()
              if box.shrunk(1.0, 0.7).contains(*ax.transData.transform(at))]  # fmt: skip
    assert hidden == []


@pytest.mark.skipif(not NOTEBOOK.exists(), reason="published with its results")
def test_every_claim_stands_under_a_figure_of_the_notebook():
    calls = re.findall(r'verdicts\("radio_resource", parameters, (.+)\)', NOTEBOOK.read_text())
    shown = tuple(re.findall(r'"([\w-]+)"', " ".join(calls)))
    claims = tomllib.loads((ROOT / "replication/papers/radio_resource/claims.toml").read_text())["claim"]
    assert [claim["id"] for claim in claims if not claim["id"].startswith(shown)] == []
