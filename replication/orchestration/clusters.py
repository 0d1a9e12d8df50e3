"""Where runs are computed: in this process, in processes of this machine, or by separately started workers.

An engine is a function (folders, deadline) -> iterator of (folder, outcome) in the order of completion.
"""

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from replication.orchestration import project
from replication.orchestration.work import Outcome, execute
from replication.settings import BadInput, suggest

Engine = Callable[[list[Path], float | None], Iterator[tuple[Path, Outcome]]]
WORDS = ("inline", "local", "none", "file:")


def check(cluster: str) -> str:
    """Return the cluster word if it can be used, else raise `BadInput`."""
    if cluster.startswith("file:"):
        path = project.resolve(cluster.removeprefix("file:"))
        try:
            json.loads(path.read_text())["address"]
        except (OSError, ValueError, KeyError, TypeError):
            raise BadInput(
                f"scheduler file {str(path)!r} is missing or unreadable; start one with "
                f"`dask scheduler --scheduler-file {path.name}`"
            ) from None
    elif cluster not in WORDS:
        raise BadInput(f"unknown cluster {cluster!r}{suggest(cluster, WORDS)}; known: inline, local, none, file:PATH")
    return cluster


def engine(cluster: str) -> Engine:
    """The engine of a cluster word."""
    if cluster == "inline":
        return inline
    return local if cluster == "local" else partial(by_file, cluster)


def cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def inline(folders: list[Path], deadline: float | None) -> Iterator[tuple[Path, Outcome]]:
    """One after the other in this process: for debuggers and tiny jobs."""
    for folder in folders:
        yield folder, execute(str(folder), deadline)


def local(folders: list[Path], deadline: float | None) -> Iterator[tuple[Path, Outcome]]:
    """In one single-threaded process per core of this machine; they end with this process, however it ends."""
    if not folders:
        return
    with _this_machine(len(folders)) as client:
        yield from _through(client, folders, deadline)


def side_by_side(work: Callable[[Any], Any], jobs: list[Any]) -> Iterator[Any]:
    """Results of `work(job)` in the order of completion, in processes as those of `local`; one job needs none."""
    if min(cores(), len(jobs)) < 2:
        yield from map(work, jobs)
        return
    from distributed import as_completed

    with _this_machine(len(jobs)) as client:
        for future in as_completed(client.map(work, jobs, pure=False)):
            yield future.result()


@contextlib.contextmanager
def _this_machine(jobs: int) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    quiet = {"distributed.admin.large-graph-warning-threshold": "1GB", "distributed.scheduler.worker-saturation": 1.0}
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=min(cores(), jobs),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=0,  # no limit: the default kills a worker above its share of the machine
            death_timeout=60,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def by_file(cluster: str, folders: list[Path], deadline: float | None) -> Iterator[tuple[Path, Outcome]]:
    """By the workers of a scheduler that was started separately; they must see the same folders and source."""
    if not folders:
        return
    from distributed import Client

    path = project.resolve(cluster.removeprefix("file:"))
    try:
        client = Client(scheduler_file=str(path), timeout="15s")
    except (OSError, TimeoutError):
        raise BadInput(f"no scheduler answers at the address in {str(path)!r}; start it again") from None
    with client:
        yield from _through(client, folders, deadline)


def _through(client: Any, folders: list[Path], deadline: float | None) -> Iterator[tuple[Path, Outcome]]:
    """Submit every run and hand back outcomes as they come. A run whose worker dies is tried again."""
    from distributed import as_completed

    once = secrets.token_hex(4)
    futures = {
        client.submit(
            execute, str(folder), deadline, key=f"{folder.name}-{once}", pure=False, retries=2, priority=-number
        ): folder
        for number, folder in enumerate(folders)
    }
    for future in as_completed(futures):
        yield futures[future], _outcome(future)
        future.release()


def _outcome(future: Any) -> Outcome:
    try:
        return future.result()
    except Exception as error:  # the engine's own failures: killed workers, imports that fail there
        return Outcome("failed", error=f"{type(error).__name__}: {error}".splitlines()[0])
