"""Side-by-side speed: contestants take turns in one process, so that a busy machine slows all of them alike."""

import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

Run = Callable[[], int]  # does some work and returns how many units of it


@dataclass(frozen=True)
class Contestant:
    """One way to do the work.

    `prepare` is called once, outside the clock: it imports, builds, compiles and returns the function to
    time. An ImportError in it means the package is not installed; the contestant is then left out.
    """

    name: str
    prepare: Callable[[], Run]
    threads: int = 1
    note: str = ""


@dataclass(frozen=True)
class Target:
    """`ours` should reach `at_least` times the rate of the fastest of `peers` (those that are installed)."""

    ours: str
    peers: tuple[str, ...]
    at_least: float


@dataclass(frozen=True)
class Benchmark:
    """What a module in this folder exports as `BENCHMARK`."""

    name: str
    question: str
    unit: str
    contestants: tuple[Contestant, ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Outcome:
    """Rates (units per second) of every contestant that could run, one number per round."""

    benchmark: Benchmark
    rates: dict[str, np.ndarray]
    missing: dict[str, str] = field(default_factory=dict)
    load: tuple[float, float] = (float("nan"), float("nan"))  # load average before and after

    def ratios(self, target: Target) -> np.ndarray | None:
        """Ratio in each round, None where a side is missing."""
        peers = [self.rates[name] for name in target.peers if name in self.rates]
        if target.ours not in self.rates or not peers:
            return None
        return self.rates[target.ours] / np.max(peers, axis=0)


def measure(benchmark: Benchmark, rounds: int, seconds: float) -> Outcome:
    """Let the contestants take turns for `rounds` rounds of at least `seconds` each."""
    runs, missing = {}, {}
    for contestant in benchmark.contestants:
        try:
            runs[contestant.name] = contestant.prepare()
            runs[contestant.name]()
        except ImportError as error:
            missing[contestant.name] = str(error)
    before = os.getloadavg()[0]
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in _rotated(runs, turn):
            rates[name].append(_rate(runs[name], seconds))
    after = os.getloadavg()[0]
    return Outcome(benchmark, {name: np.array(values) for name, values in rates.items()}, missing, (before, after))


def _rotated(names: Iterable[str], turn: int) -> list[str]:
    """Every round starts with another contestant, so none always follows the same one."""
    order = list(names)
    start = turn % max(len(order), 1)
    return order[start:] + order[:start]


def _rate(run: Run, seconds: float) -> float:
    done, start = 0, time.perf_counter()
    while True:
        done += run()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return done / elapsed


def machine() -> dict[str, str]:
    """What the rates depend on besides the code."""
    import numba

    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "threads": ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in threads),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            found = next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        found = ""
    return found.partition(":")[2].strip() or platform.processor() or platform.machine()
