"""Every test process computes with one thread: the package sets this up before numpy is imported."""

import replication  # noqa: F401
