"""Four papers on multi-agent reinforcement learning, replicated.

`worlds()` lists what can be built, `make(name, num_envs=1, **settings)` builds a world and
`controller(world, name, **settings)` one of its scripted controllers. `replication.data`, `replication.seeding` and
what else outside code calls load when they are first named.
"""

import importlib
import os
import sys
import warnings
from types import ModuleType

# Small networks and per-world kernels run fastest on one thread each (processes carry the
# parallelism), and a fixed thread count keeps sums bitwise reproducible. The variables only
# work if they are set before numpy and torch start their thread pools.
if "numpy" in sys.modules and "OMP_NUM_THREADS" not in os.environ:
    warnings.warn("import replication before numpy and torch: their thread pools are already started", stacklevel=2)
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

__version__ = "0.1.0"
__all__ = ["controller", "make", "worlds"]
_PARTS = ("algos", "data", "envs", "seeding", "settings")


def __getattr__(name: str) -> ModuleType:
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def worlds() -> list[str]:
    """Names (and name patterns) that `make` understands."""
    from replication.envs import registry

    return registry.worlds()


def make(name: str, num_envs: int = 1, **settings):
    """Build the world `name` with `num_envs` independent copies side by side.

    Args:
        name: a name from `worlds()`, for example "voltage/case33".
        num_envs: number of environment lanes (>= 1).
        settings: overrides of the world's settings; an unknown name is refused.

    Raises:
        BadInput: unknown world, unknown setting, or a value out of range.
    """
    from replication.envs import registry

    return registry.make(name, num_envs=num_envs, **settings)


def controller(world, name: str, **settings):
    """Scripted controller `name` for `world`; see the world's module for the names."""
    from replication.envs import registry

    return registry.controller(world, name, **settings)
