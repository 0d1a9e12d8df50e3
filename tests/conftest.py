"""Every test process computes with one thread."""

import os

# `tasks.py test` sets this before Python starts; for a pytest called by hand it comes after some plugins' numpy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
