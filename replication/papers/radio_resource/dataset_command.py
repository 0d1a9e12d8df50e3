"""`replicate dataset`: collect an offline dataset of the radio paper, or check one that somebody brings."""

from argparse import Namespace
from pathlib import Path

import numpy as np

import replication
from replication.data import offline
from replication.data.offline import OfflineData
from replication.envs import radio_logs
from replication.envs.radio import Radio
from replication.envs.radio_settings import RadioSettings
from replication.orchestration import project
from replication.orchestration.commands import say
from replication.papers.radio_resource import datasets
from replication.papers.radio_resource.dataset_settings import BACKBONES, TIERS, DatasetSettings
from replication.papers.radio_resource.datasets import FreeSpace, free_bytes
from replication.settings import BadInput, choose

WORLD = "radio/4x24"
TRAINING = 640  # episodes of the pool behind a tier that learns, so that it has learned something


def run(options: Namespace, free: FreeSpace = free_bytes) -> int:
    """Collect, or check with --check; options are those of `replicate dataset --help`."""
    if options.check is not None:
        if options.tier is not None:
            raise BadInput(f"--check takes no tier, got {options.tier!r}; give either")
        check(Path(options.check), options)
        return 0
    if options.tier is None:
        raise BadInput(f"which tier? give one of: {', '.join(sorted(TIERS))}; or --check FOLDER")
    settings = settings_of(options)
    folder = project.writable(datasets.datasets_folder(options.runs), "runs")
    if options.out is None:
        data, path = datasets.dataset(settings, folder, free), datasets.ensure(settings, folder, free)
    else:
        path = new_folder(project.resolve(options.out))
        datasets.require_space(settings, folder, free, copy=path.parent)
        data = datasets.dataset(settings, folder, free)
        offline.write(path, data)
    say(f"{settings.tier}: {project.shown(path)}")
    describe(data)
    return 0


def settings_of(options: Namespace) -> DatasetSettings:
    """What the words ask for; a tier that learns has a full training behind it unless --pool says otherwise."""
    tier, pool = choose("tier", options.tier, TIERS), options.pool
    environment = RadioSettings(**options.more)
    if pool is None and (tier in BACKBONES or tier == "mixed"):
        pool = max(TRAINING * environment.horizon, options.size)
    return DatasetSettings(tier=tier, size=options.size, pool=pool, world=options.world or WORLD, seed=options.seed,
                           environment=environment)  # fmt: skip


def new_folder(path: Path) -> Path:
    """Return `path` if it can be made, else raise `BadInput`."""
    if path.exists():
        raise BadInput(f"{str(path)!r} exists already; give --out a new folder")
    return project.writable(path, "out")


def check(folder: Path, options: Namespace) -> OfflineData:
    """Read a dataset, judge everything that can be judged, and say what it is.

    Raises:
        BadInput: it is damaged, of another world than --world, an action was not valid, or rewards do not follow from
            the logs.
    """
    world = None
    if options.world is not None or options.more:
        world = replication.make(options.world or WORLD, **options.more)
    data = offline.load(folder, None if world is None else radio_logs.environment(world))
    offline.check(data)
    data = data.measured()  # what the card of somebody else says of the data counts for nothing
    if world is not None:
        _check_sizes(folder, data, world)
    _check_rewards(folder, data)
    say(f"{folder}: sound" + ("" if world is None else f", and of {world.name} with these settings"))
    describe(data)
    return data


def describe(data: OfflineData) -> None:
    """Say what the data are, in a few lines."""
    card = data.card
    sizes = f"{data.num_agents} agents, {data.features} numbers observed, {data.action_size} actions"
    say(f"  {data.size} transitions, {data.episodes} episodes of {data.horizon} steps; {sizes}")
    say(f"  environment {card.get('environment_digest')}: {card.get('environment', {}).get('world', 'not said')}")
    for name, value in card["scores"].items():
        say(f"  {name}: {value['mean']:.4g} per episode, spread {value['spread']:.2g}")
    shares = np.mean(card["actions"], axis=0)
    say("  actions, mean over agents: " + ", ".join(f"{action}: {share:.3f}" for action, share in enumerate(shares)))
    seen = card["coverage"]
    say(f"  coverage: {seen['states']:.3f} of state cells, {seen['state_actions']:.3f} of state-action cells")


def _check_sizes(folder: Path, data: OfflineData, world: Radio) -> None:
    found = (data.num_agents, data.features, data.action_size, data.horizon)
    expected = (world.num_agents, world.observation_size, world.action_size, world.horizon)
    if found != expected:
        names = "agents, numbers observed, actions and horizon"
        raise BadInput(f"dataset {folder.name}: {names} are {found}, those of {world.name} {expected}; collect anew")


def _check_rewards(folder: Path, data: OfflineData) -> None:
    """Where logs and reward are said, one follows from the other."""
    paid, logged = data.card.get("paid"), data.card.get("environment", {})
    if paid is None or not set(radio_logs.LOGS) <= set(data.logs):
        return
    moving = {name: logged[name] for name in ("smoothing", "average_floor") if name in logged}
    try:
        settings = RadioSettings(fairness=paid["fairness"], reward=paid["form"], reward_scale=paid["scale"], **moving)
        off = np.abs(paid["scale"] * radio_logs.team_rewards(data, settings) - data.reward)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"dataset {folder.name}: its logs or what its card says under 'paid' (fairness, form, scale) do not fit "
            f"together ({error!r}); leave both out or log them as `radio_logs` says"
        ) from None
    if off.max() > 1e-3 * np.abs(data.reward).max():
        episode, step = np.unravel_index(int(off.argmax()), off.shape)
        raise BadInput(
            f"dataset {folder.name}: the reward of step {step} of episode {episode} does not follow from its weights "
            "and rates; write rewards as the world pays them"
        )
