"""From a drawing to a published figure: files with a certificate, and the picture shown in the notebook."""

from pathlib import Path
from typing import Any

import pandas

from replication.drawing import Drawing
from replication.notebook import NotebookParameters, Shown
from replication.orchestration import provenance
from replication.plotting import certificate, theme
from replication.settings import Settings


def publish(
    drawing: Drawing,
    paper: str,
    name: str,
    parameters: NotebookParameters,
    settings: Settings | dict[str, Any] | None = None,
) -> Shown:
    """Save `drawing` as figures/<paper>/<name>.svg, .png, .csv, .json and show it; `settings` are a shown world's.

    The caption ends with how many seeds entered; a drawing without scores says where its numbers come from instead.
    """
    keys, seeds = sorted(set(drawing.used["key"])), sorted(set(drawing.used["seed"].astype(int)))
    text = drawing.caption
    if len(seeds) > 1:
        text = theme.caption(drawing.caption, n=_sizes(drawing.used), profile=parameters.profile)
    path = certificate.save(
        drawing.figure,
        parameters.figure_folder(paper),
        name,
        data=drawing.data,
        profile=parameters.profile,
        seeds=seeds,
        results=keys,
        drawing_digest=provenance.drawing_digest(paper),
        packages=provenance.packages(),
        caption=text,
        settings=settings,
        commit=provenance.commit(),
    )
    return picture(path.with_suffix(".png"), text)


def picture(path: Path, caption: str) -> Shown:
    """A saved picture with its caption, embedded so that the notebook stands on its own."""
    import base64

    encoded = base64.b64encode(path.read_bytes()).decode()
    page = (
        f'<figure style="margin:0"><img src="data:image/png;base64,{encoded}" style="max-width:100%" alt="{caption}">'
    )
    return Shown(caption, as_html=f"{page}<figcaption><i>{caption}</i></figcaption></figure>")


def _sizes(used: pandas.DataFrame) -> str:
    """ "20", or "5 to 20" where the arms have different numbers of seeds; scripted arms (one run) do not count."""
    counts = used.groupby(["experiment", "arm"])["seed"].nunique()
    counts = counts[counts > 1]
    return str(counts.min()) if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
