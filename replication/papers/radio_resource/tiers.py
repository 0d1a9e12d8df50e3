"""The behaviours behind the radio datasets: random, scripted, learned, and all of them mixed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import replication
from replication.algos.discrete_policy import DiscretePolicy, save_discrete_policy
from replication.algos.offline_training import NoRun
from replication.algos.online_settings import OnlineSettings
from replication.algos.online_training import train_online
from replication.data import offline, offline_files
from replication.data.offline import OfflineData
from replication.envs import radio_logs
from replication.envs.radio import Radio
from replication.envs.schedulers import make_controller
from replication.papers.radio_resource import collection
from replication.papers.radio_resource.collection import Behaviour
from replication.papers.radio_resource.dataset_settings import BACKBONES, PARTS, DatasetSettings
from replication.seeding import stream
from replication.writing import new_folder

HEURISTICS = ("full_reuse", "tdm_users", "itlinq")
WARM_UP_SHARE, EPSILON_SHARE = 10, 4  # at most one over these of a training is warm-up and falling ε


def depends(settings: DatasetSettings) -> dict[str, Any]:
    """What a tier's data depend on besides world, seed and pool."""
    if settings.tier in BACKBONES:
        own = {"online": online_settings(settings, BACKBONES[settings.tier]).plain()}
        return own | ({"epsilon": settings.epsilon} if settings.tier == "dqn-final" else {})
    if settings.tier == "heuristic-mix":
        return {"exploration": settings.exploration}
    if settings.tier == "mixed":
        return {"parts": {tier: depends(settings.but(tier=tier)) for tier in PARTS}}
    return {}


def online_settings(settings: DatasetSettings, backbone: str) -> OnlineSettings:
    """The online learner of a pool: fewer lanes for small pools, and shares of the training for its phases."""
    learner = settings.online.learner.but(backbone=backbone)
    given = settings.online.but(envs=min(settings.online.envs, settings.episodes), learner=learner)
    steps = 2 * kept_blocks(settings) * settings.environment.horizon
    return given.but(
        warm_up=min(given.warm_up, max(1, steps // WARM_UP_SHARE)),
        epsilon_steps=min(given.epsilon_steps, max(1, steps // EPSILON_SHARE)),
    )


def kept_blocks(settings: DatasetSettings) -> int:
    """Episodes of every lane in the second half of the training, enough to fill the pool."""
    return -(-settings.episodes // min(settings.online.envs, settings.episodes))


def train(path: Path, settings: DatasetSettings) -> None:
    """Train online for a replay tier; write the second half of what was played, and the policy in the end.

    Args:
        path: the new folder, which appears whole or not at all.
    """
    backbone, kept = BACKBONES[settings.tier], kept_blocks(settings)
    learner = online_settings(settings, backbone)
    world = replication.make(settings.world, num_envs=learner.envs, **settings.logged.plain())
    log = collection.ReplayLog(world, 2 * kept, kept)
    steps = 2 * kept * world.horizon
    trained = train_online(learner, world, (settings.seed,), NoRun(), steps=steps, evaluate_every=steps, record=log)
    behaviour = {"policies": [f"online {backbone}, second half"], "online": learner.plain(), "steps": steps}
    data = _scored(settings, log.log.data(_card(settings, world, behaviour)), settings.tier)
    with offline_files.one_line_when_full(path), new_folder(path) as unfinished:
        save_discrete_policy(unfinished / "policy", trained.last)
        offline.write(unfinished / "data", shuffled(settings, [data], settings.episodes))


def collected(settings: DatasetSettings, policy: DiscretePolicy | None) -> OfflineData:
    """Episodes played by a tier that does not learn any more."""
    parts, card = [], _card(settings, world_of(settings), {})
    named = behaviours(settings, policy)
    counts = _equal_parts(settings.episodes, len(named))
    for (name, behaviour), count in zip(named.items(), counts, strict=True):
        if count:
            purpose = f"dataset {settings.tier} {name}"
            log = collection.collect(settings.world, settings.logged, behaviour, count, purpose, settings.seed)
            parts.append(_scored(settings, log.data(card), name))
    names = list(dict.fromkeys(name for part in parts for name in part.card["episodes"]["behaviour"]))
    share = {"heuristic-mix": settings.exploration, "dqn-final": settings.epsilon, "random": 1.0}
    said = {"tier": settings.tier, "policies": names, "random_share": share.get(settings.tier, 0.0)}
    if settings.tier in BACKBONES:
        said["online"] = online_settings(settings, BACKBONES[settings.tier]).plain()
    return _with(shuffled(settings, parts, settings.episodes), behaviour=said)


def mixed(settings: DatasetSettings, pools: dict[str, Path]) -> OfflineData:
    """Equal parts of other pools."""
    counts = _equal_parts(settings.episodes, len(pools))
    parts = []
    for (tier, path), count in zip(pools.items(), counts, strict=True):
        if count:
            part = offline.load(path, episodes=count)
            table = {**part.card["episodes"], "behaviour": [tier] * count}
            parts.append(_with(part, episodes=table))
    card = _card(settings, world_of(settings), {"policies": list(pools), "random_share": None})
    return shuffled(settings, [_with(part, **card) for part in parts], settings.episodes)


def shuffled(settings: DatasetSettings, parts: list[OfflineData], episodes: int) -> OfflineData:
    """Episodes of all parts in a random order in which every beginning holds nearly equal shares of each part.

    The i-th of a part's n episodes, themselves in a random order, is at (i + u) / n of the whole, u uniform.
    """
    rng = stream(f"order of dataset {settings.tier}", settings.seed)
    chosen = [rng.permutation(part.episodes) for part in parts]
    place = np.concatenate([(np.arange(n) + rng.random(n)) / n for n in (part.episodes for part in parts)])
    offsets = np.cumsum([0, *(part.episodes for part in parts)])
    source = np.concatenate([offset + numbers for offset, numbers in zip(offsets, chosen)])
    return _joined(parts).take(source[np.argsort(place)][:episodes])


def episode_bytes(world: Radio) -> int:
    """Bytes on disk of one episode, masks packed."""
    log = collection.EpisodeLog(world, 1)
    arrays: list[np.ndarray] = [log.observation, log.action, log.reward, log.terminated, *log.logs.values()]
    masks = log.mask.size // log.mask.shape[-1] * -(-log.mask.shape[-1] // 8)
    return sum(array.nbytes for array in arrays) + masks


def world_of(settings: DatasetSettings) -> Radio:
    """One lane of the world steps are logged in.

    Raises:
        BadInput: unknown world, or sizes that do not fit together, such as fewer users than an AP ranks.
    """
    return replication.make(settings.world, **settings.logged.plain())


def behaviours(settings: DatasetSettings, policy: DiscretePolicy | None) -> dict[str, Behaviour]:
    """Name -> behaviour of the tiers that do not learn any more."""
    if policy is not None:
        play = collection.greedy(policy, settings.epsilon) if settings.tier == "dqn-final" else None
        return {settings.tier: play or collection.sampling(policy)}
    if settings.tier == "random":
        return {"random": collection.random_actions}
    world = world_of(settings)
    acts = {name: make_controller(world, name).act for name in HEURISTICS}
    return {name: collection.noisy(act, settings.exploration) for name, act in acts.items()}


def _equal_parts(episodes: int, parts: int) -> list[int]:
    return [episodes // parts + (part < episodes % parts) for part in range(parts)]


def _card(settings: DatasetSettings, world: Radio, behaviour: dict[str, Any]) -> dict[str, Any]:
    s = settings.logged
    return {
        "environment": radio_logs.environment(world),
        "observation": radio_logs.observation_card(world),
        "behaviour": {"tier": settings.tier, **behaviour},
        "seeds": {"seed": settings.seed},
        "paid": {"fairness": s.fairness, "form": s.reward, "scale": world.reward_scale},
    }


def _scored(settings: DatasetSettings, data: OfflineData, name: str) -> OfflineData:
    """With a table of every episode's scores and behaviour in the card."""
    table: dict[str, list] = {**radio_logs.scores(data, settings.logged), "behaviour": [name] * data.episodes}
    return _with(data, episodes=table)


def _with(data: OfflineData, **card: Any) -> OfflineData:
    return replace(data, card={**data.card, **card})


def _joined(parts: list[OfflineData]) -> OfflineData:
    if len(parts) == 1:
        return parts[0]
    names = ("observation", "mask", "action", "reward", "terminated")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    logs = {name: np.concatenate([part.logs[name] for part in parts]) for name in parts[0].logs}
    table = {name: [v for part in parts for v in part.card["episodes"][name]] for name in parts[0].card["episodes"]}
    return OfflineData(**arrays, logs=logs, card={**parts[0].card, "episodes": table})
