"""Grids, days and offline datasets; `replication.data.offline` and the other modules load when they are first named."""

import importlib
from types import ModuleType

_MODULES = ("days", "feeders", "mapdn", "offline", "offline_export", "profiles", "year")


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
