"""One thread per process and no window, set before any test imports numpy, torch or matplotlib."""

import os
import sys

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")

import pytest  # noqa: E402 - after the variables


@pytest.fixture
def close_figures():
    """No figure of an earlier test is open, and none is left."""
    from matplotlib import pyplot

    pyplot.close("all")
    yield
    pyplot.close("all")


@pytest.fixture(autouse=True)
def no_process_left():
    """Every process that a test of the toy paper started has ended, and its output is closed."""
    yield
    toy = sys.modules.get("toy_paper.project")
    if toy is not None:
        toy.end()
