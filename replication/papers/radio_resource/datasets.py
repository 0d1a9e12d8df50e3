"""Offline datasets of the radio paper: collected once, kept beside the runs, found again by what they depend on.

A dataset is a pool of episodes in a random order fixed by its seed; smaller sizes are its first episodes, so they are
nested and each is a fair share. Behaviours that learn are trained and logged under the reward of the summary (λ 0.8);
every other reward is a relabelling of the same steps (A-263).
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from replication.algos.discrete_policy import DiscretePolicy, load_discrete_policy
from replication.data import offline, offline_files
from replication.data.offline import OfflineData
from replication.envs import radio_logs
from replication.orchestration import project
from replication.orchestration.lock import Lock
from replication.papers.radio_resource import tiers
from replication.papers.radio_resource.collection import Explorer
from replication.papers.radio_resource.dataset_settings import BACKBONES, FINALS, PARTS, REPLAYS, DatasetSettings
from replication.settings import BadInput, choose, digest

VERSION = 1  # raised by hand when collecting means something else; pools are then collected anew
WAIT = 0.5  # seconds between looks at a pool that another process collects

FreeSpace = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Free disk space where `folder` is or will be."""
    return shutil.disk_usage(offline_files.nearest(folder)).free


def datasets_folder(runs: str | Path = "runs") -> Path:
    """Where datasets are kept: "datasets" in the runs' folder, which REPLICATION_RUNS moves."""
    return project.runs_folder(runs) / "datasets"


def dataset(settings: DatasetSettings, folder: Path | None = None, free: FreeSpace = free_bytes) -> OfflineData:
    """The first `size` transitions of the pool, collected if they are missing, with the reward `settings` ask for."""
    environment = radio_logs.environment(tiers.world_of(settings))
    episodes = settings.size // settings.environment.horizon
    data = offline.load(ensure(settings, folder, free), environment, episodes=episodes)
    return data if settings.environment == settings.logged else radio_logs.relabel(data, settings.environment)


def ensure(settings: DatasetSettings, folder: Path | None = None, free: FreeSpace = free_bytes) -> Path:
    """Folder of the pool that `settings` name; collects it first unless it is there.

    Several processes may ask at once: one collects, the others wait. A collection that is killed leaves no pool and is
    redone.

    Args:
        settings: `size` does not matter; a pool is shared by all sizes.
        folder: of all datasets; absent: `datasets_folder()`.
        free: tells the free bytes of a folder.

    Raises:
        BadInput: settings that do not fit together, or too little free disk.
    """
    folder = datasets_folder() if folder is None else Path(folder)
    if settings.tier in REPLAYS:
        return online(settings, folder, free) / "data"
    path = pool_path(settings, folder)
    return built(path, lambda: _collect(settings, folder, path, free), lambda: offline_files.complete(path))


def pool_path(settings: DatasetSettings, folder: Path) -> Path:
    """Where a pool is kept; behind the tiers of a learner it is the folder of the training."""
    if settings.tier in REPLAYS:
        return folder / f"online-{BACKBONES[settings.tier]}-{settings.collected}-{key(settings)}"
    return folder / f"{settings.tier}-{settings.collected}-{key(settings)}"


def pools(settings: DatasetSettings) -> list[DatasetSettings]:
    """What must be there for a pool: those it is made from, in their order, and itself at the end."""
    behind: tuple[str, ...] = PARTS if settings.tier == "mixed" else ()
    if settings.tier in FINALS:
        behind = (f"{BACKBONES[settings.tier]}-replay",)
    return [one for tier in behind for one in pools(settings.but(tier=tier))] + [settings]


def behaviour(settings: DatasetSettings, seeds: tuple[int, ...], folder: Path | None = None) -> Explorer:
    """What collected a tier's data, exploring as it did then, to be played in lanes laid out as (seed, lane).

    Raises:
        BadInput: a tier whose data come from several policies.
    """
    choose("tier of a single policy", settings.tier, ("random", *FINALS))
    policy = behaviour_policy(settings, folder) if settings.tier in FINALS else None
    return Explorer(tiers.behaviours(settings, policy)[settings.tier], seeds)


def behaviour_policy(settings: DatasetSettings, folder: Path | None = None) -> DiscretePolicy:
    """The policy at the end of the online training behind a sac or dqn tier; trains it unless it is there."""
    choose("learning tier", settings.tier, BACKBONES)
    folder = datasets_folder() if folder is None else Path(folder)
    return load_discrete_policy(online(settings, folder, free_bytes) / "policy")


def online(settings: DatasetSettings, folder: Path, free: FreeSpace) -> Path:
    """Folder of the online training behind a sac or dqn tier: policy.safetensors, policy.json and data/."""
    settings = settings.but(tier=f"{BACKBONES[settings.tier]}-replay")  # the same training, whichever tier asks
    path = pool_path(settings, folder)

    def train() -> None:
        require_space(settings, folder, free)
        tiers.train(path, settings)

    return built(path, train, lambda: _trained(path))


def key(settings: DatasetSettings) -> str:
    """12 hexadecimal digits that change with whatever the pool depends on; rewards and `size` are not among it."""
    depends = {
        "version": VERSION, "environment": radio_logs.environment(tiers.world_of(settings)), "seed": settings.seed,
        "pool": settings.collected,
    }  # fmt: skip
    return digest(depends | tiers.depends(settings))


def require_space(
    settings: DatasetSettings, folder: Path, free: FreeSpace = free_bytes, copy: Path | None = None
) -> None:
    """Raise `BadInput` unless all pools that are missing fit on the disk, and a copy of `size` transitions.

    Args:
        copy: folder that the copy will be in; absent: there is none. On another disk it is counted there.
    """
    episode = tiers.episode_bytes(tiers.world_of(settings))
    missing = {pool_path(one, folder) for one in pools(settings) if not _there(one, folder)}
    needed = {folder: len(missing) * settings.episodes}
    if copy is not None:
        disk = folder if _disk(copy) == _disk(folder) else copy
        needed[disk] = needed.get(disk, 0) + settings.size // settings.environment.horizon
    for place, episodes in needed.items():
        if episodes * episode > (there := free(place)):
            count = f"{episodes * settings.environment.horizon} transitions"
            what = f"{count} ({len(missing)} missing pools{'' if copy is None else ' and a copy'})"
            raise BadInput(
                f"{what} need {episodes * episode / 1e6:,.1f} MB, {str(place)!r} has {there / 1e6:,.1f} MB free; "
                "ask for fewer or for another folder"
            )


def _there(settings: DatasetSettings, folder: Path) -> bool:
    path = pool_path(settings, folder)
    return _trained(path) if settings.tier in REPLAYS else offline_files.complete(path)


def _trained(path: Path) -> bool:
    return offline_files.complete(path / "data") and (path / "policy.json").is_file()


def _disk(folder: Path) -> int:
    """Number of the disk that `folder` is or will be on."""
    return offline_files.nearest(folder).stat().st_dev


def built(path: Path, build: Callable[[], None], complete: Callable[[], bool]) -> Path:
    """Return `path` once it is complete; this process builds it unless another one does.

    Args:
        build: makes `path`, whole or not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while not complete():
        lock = Lock(path.with_name(f"{path.name}.lock"))
        if not lock.acquire():
            time.sleep(WAIT)
            continue
        try:
            if not complete():
                _clear(path)
                build()
        finally:
            lock.release()
    return path


def _clear(path: Path) -> None:
    """Remove what a killed process or lost files left."""
    shutil.rmtree(path, ignore_errors=True)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)


def _collect(settings: DatasetSettings, folder: Path, path: Path, free: FreeSpace) -> None:
    require_space(settings, folder, free)
    if settings.tier == "mixed":
        parts = {tier: ensure(settings.but(tier=tier), folder, free) for tier in PARTS}
        offline.write(path, tiers.mixed(settings, parts))
        return
    policy = None
    if settings.tier in FINALS:
        policy = load_discrete_policy(online(settings, folder, free) / "policy")
    offline.write(path, tiers.collected(settings, policy))
