"""What the tests of the papers' figures share: small score tables, and what every drawing must have."""

import pandas

from replication.drawing import COLUMNS
from replication.plotting import certificate


def table_of(rows):
    """Score table of (experiment, arm, seed, metric, value) rows; an arm is a run."""
    return pandas.DataFrame([(*row, f"{row[0]} {row[1]}") for row in rows], columns=COLUMNS)


def checked(drawings, filled=None):
    """The drawings, each of which can be rendered and saved; those in `filled` (by default all) show something."""
    for name, drawing in drawings.items():
        drawing.figure.draw_without_rendering()
        assert drawing.caption.strip(), name
        assert list(drawing.used.columns) == COLUMNS, name
        assert certificate.to_csv(drawing.data), name
        shown = filled is None or name in filled
        assert not shown or (len(drawing.used) and len(drawing.data)), name
    return drawings
