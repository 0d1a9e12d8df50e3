"""Pictures of the feeder, its year and its days: network, mean days, where and when voltages leave the band."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas

from replication.drawing import Curves, Drawing, rng, seeds_of, used_rows
from replication.papers.voltage_control.evaluation import SEASONS, SLOTS
from replication.papers.voltage_control.figures import RATE
from replication.plotting import curves as draw
from replication.plotting import networks, theme
from replication.stats import intervals

EMPTY = pandas.DataFrame(columns=["experiment", "arm", "seed", "metric", "value", "key"])


def feeder(world: Any) -> Drawing:
    """The feeder with its zones and inverters."""
    figure, ax = theme.figure(height=3.4)
    network = world.feeder
    networks.draw_feeder(ax, network.parent, zone=network.zone, pv_bus=network.pv_bus)
    data = pandas.DataFrame({"bus": range(network.num_buses), "parent": network.parent, "zone": network.zone})
    return Drawing(figure, data, EMPTY, f"The {network.name} feeder: colours are control zones, rings are inverters")


def year(world: Any) -> Drawing:
    """Total load and PV of the year: mean day per season, and the daily peaks."""
    profiles = world.profiles
    load, pv = profiles.load_mw().sum(axis=1), profiles.pv_mw().sum(axis=1)
    per_day = 480 // profiles.steps_per_row
    months = (np.datetime64("2016-01-01") + np.arange(len(load)) // per_day).astype("datetime64[M]").astype(
        int
    ) % 12 + 1
    figure, axes = theme.figure(1, 2, height=2.8)
    hours = (np.arange(per_day) + 0.5) * 24 / per_day
    frames = []
    for season, dash in zip(SEASONS, ("-", theme.DASH), strict=True):
        days = np.isin(months, SEASONS[season])
        for name, values, colour in (("load", load, "#0072b2"), ("PV", pv, "#e69f00")):
            mean = values[days].reshape(-1, per_day).mean(axis=0)
            axes[0].plot(hours, mean, color=colour, ls=dash, label=f"{name}, {season}")
            frames.append(pandas.DataFrame({"what": f"{name}, {season}", "x": hours, "mw": mean}))
    axes[0].set(xlabel="hour of the day", ylabel="total [MW]", xlim=(0, 24), xticks=range(0, 25, 6))
    axes[0].legend(loc="upper left", handlelength=1.6)
    for name, values, colour in (("load", load, "#0072b2"), ("PV", pv, "#e69f00")):
        peaks = values.reshape(-1, per_day).max(axis=1)
        axes[1].plot(np.arange(len(peaks)), peaks, color=colour, lw=0.9, label=name)
        frames.append(pandas.DataFrame({"what": f"{name}, daily peak", "x": np.arange(len(peaks)), "mw": peaks}))
    axes[1].set(xlabel="day of 2016", ylabel="daily peak [MW]")
    axes[1].legend()
    return Drawing(figure, pandas.concat(frames), EMPTY, "A year of load and sunshine on the feeder")


def day_profiles(table: pandas.DataFrame, found: Curves, wanted: Mapping[str, tuple[str, str]]) -> Drawing:
    """Mean summer and winter day: injected reactive power and highest voltage of the feeder."""
    figure, axes = theme.figure(2, 2, height=5.0, sharex=True)
    hours, frames = (np.arange(SLOTS) + 0.5) * 24 / SLOTS, []
    rows = (
        ("q_mvar", "reactive power injected [MVAr]", None),
        ("highest_voltage", "highest voltage [p.u.]", (1.05, 1.05)),
    )
    for row, (name, ylabel, limits) in enumerate(rows):
        for column, season in enumerate(SEASONS):
            bands = {}
            for label, (experiment, arm) in wanted.items():
                curves = found.get(experiment, {}).get(arm, {}).get(f"profile_{name}")
                if curves is not None and np.isfinite(curves[:, column]).all():
                    bands[label] = intervals.band(curves[:, column], rng=rng())
                    frames.append(_day_frame(label, season, name, hours, bands[label]))
            ax = axes[row, column]
            if bands:
                draw.day_profiles(ax, hours, bands, ylabel=ylabel if column == 0 else "", limits=limits,
                                  names="legend" if (row, column) == (0, 0) else "none")  # fmt: skip
            if row == 0:
                ax.set_title(season)
                ax.set_xlabel("")
    data = pandas.concat(frames) if frames else pandas.DataFrame()
    return Drawing(figure, data, used_rows(table, list(wanted.values()), ("reward",)), "Mean day by season, test days")


def _day_frame(label: str, season: str, name: str, hours: np.ndarray, band: intervals.Band) -> pandas.DataFrame:
    columns = {"method": label, "season": season, "quantity": name, "hour": hours}
    return pandas.DataFrame(columns | {"middle": band.middle, "low": band.low, "high": band.high, "n": band.n})


def violations(table: pandas.DataFrame, found: Curves, wanted: Mapping[str, tuple[str, str]]) -> Drawing:
    """Share of steps a bus spends outside the band, over feeder and hour, one panel per method."""
    shares = {
        label: found[experiment][arm]["outside"].mean(axis=0)
        for label, (experiment, arm) in wanted.items()
        if arm in found.get(experiment, {})
    }
    figure, axes = theme.figure(1, max(len(shares), 1), height=3.4, sharey=True)
    top = max((float(values.max()) for values in shares.values()), default=1.0)
    frames = []
    for ax, (label, values) in zip(np.atleast_1d(axes), shares.items(), strict=False):
        buses, hours = np.arange(values.shape[0]), np.arange(24) + 0.5
        draw.heat_map(ax, values, rows=buses, columns=hours, xlabel="hour of the day",
                      ylabel="bus" if label == next(iter(shares)) else "", colour_label="share of steps out of band",
                      limits=(0.0, top), bar=label == list(shares)[-1])  # fmt: skip
        ax.set_title(theme.label(label))
        ax.set_xticks(range(0, 25, 6))
        grid = np.meshgrid(buses, np.arange(24), indexing="ij")
        frames.append(
            pandas.DataFrame(
                {"method": label, "bus": grid[0].ravel(), "hour": grid[1].ravel(), "share": values.ravel()}
            )
        )
    data = pandas.concat(frames) if frames else pandas.DataFrame()
    return Drawing(
        figure,
        data,
        used_rows(table, list(wanted.values()), ("out_of_band",)),
        "Where and when voltages leave the band, test days",
    )


def calibration(table: pandas.DataFrame, scales: Sequence[float] = (1.0, 1.2, 1.4, 1.87, 2.5)) -> Drawing:
    """Controllable rate over load scale and over ten deals of profiles, for none, droop and random."""
    figure, axes = theme.figure(1, 2, height=3.0, sharey=True)
    frames = []
    for ax, experiment, word, points in (
        (axes[0], "calibration", "load", scales),
        (axes[1], "assignment", "assignment", range(10)),
    ):
        for name in ("none", "droop", "random"):
            values = [
                (point, seeds_of(table, experiment, f"{name}, {word} {point:g}", "controllable")) for point in points
            ]
            ran = [(point, float(value[0])) for point, value in values if len(value)]
            if ran:
                look = theme.look(name)
                x, y = (np.array(values) for values in zip(*ran, strict=True))
                line = "-" if word == "load" else "none"
                ax.plot(x, y, color=look.colour, marker=look.marker, ls=line, label=look.label)
                frames.append(pandas.DataFrame({"experiment": experiment, "method": name, "x": x, "controllable": y}))
    axes[0].set(xlabel="load scale", ylabel=RATE)
    axes[1].set(xlabel="deal of profiles to buses")
    if frames:
        axes[0].legend()
    pairs = [
        (e, a) for e, a in zip(table["experiment"], table["arm"], strict=True) if e in ("calibration", "assignment")
    ]
    data = pandas.concat(frames) if frames else pandas.DataFrame()
    return Drawing(figure, data, used_rows(table, pairs, ("controllable",)), "How hard the feeder is, test days")
