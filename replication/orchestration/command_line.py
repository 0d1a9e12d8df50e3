"""The words of the command line: verbs, options, and complaints of one line."""

import argparse
import ast
from argparse import Namespace
from typing import Any, NoReturn

from replication.orchestration import clusters, scheduler
from replication.settings import PROFILES, BadInput, choose, suggest

VERBS = {
    "figures": "redraw the published figures from committed results, then train and draw the quick profile",
    "run": "compute missing runs",
    "plan": "what is missing and what it will cost",
    "status": "which runs are finished, begun and missing",
    "claims": "the claims of all papers and what became of them",
    "check": "whether figures, results, verdicts and README fit together",
    "dataset": "collect an offline dataset of the radio paper, or check one",
}
STORES = ("figures", "run", "plan", "status", "claims", "check")
OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "--profile": (("figures", "run", "plan", "status", "claims"), {"help": "smoke, quick or full"}),
    "--paper": (("figures", "run", "plan", "status", "claims"), {"help": "only this paper"}),
    "--experiment": (("run", "plan", "status"), {"help": "only this experiment of the paper"}),
    "--seeds": (
        ("figures", "run", "plan", "status", "claims"),
        {"type": int, "default": 0, "help": "number of seeds (0: the profile's own)"},
    ),
    "--runs": ((*STORES, "dataset"), {"default": "runs", "help": "folder of the run store"}),
    "--figures": (STORES, {"default": "figures", "help": "folder of figures and committed results"}),
    "--cluster": (("figures", "run"), {"default": "local", "help": "inline, local, or file:PATH of a scheduler file"}),
    "--budget": (("figures", "run"), {"help": "stop cleanly after this time, for example 60min"}),
    "--redraw": (("figures",), {"action": "store_true", "help": "only redraw the published figures"}),
    "--size": (("dataset",), {"type": int, "default": 640_000, "help": "transitions, a multiple of the horizon"}),
    "--pool": (("dataset",), {"type": int, "help": "transitions collected at once, if more than size"}),
    "--world": (("dataset",), {"help": "access points and users, for example radio/4x24"}),
    "--seed": (("dataset",), {"type": int, "default": 0, "help": "seed of policies, layouts and order"}),
    "--out": (("dataset",), {"help": "a new folder for a copy of exactly these transitions"}),
    "--check": (("dataset",), {"help": "a dataset's folder, to be checked instead"}),
    "--json": (("plan", "status", "claims"), {"action": "store_true", "help": "machine-readable"}),
}
PARAMETERS = {"figures": "a notebook parameter", "dataset": "a setting of the world"}


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(message)


def read_words(words: list[str]) -> Namespace:
    """The verb and its options, checked as far as possible without running anything."""
    if not words or words[0] in ("-h", "--help"):
        return Namespace(verb="help")
    verb = choose("verb", words[0], VERBS)
    parser = _parser(verb)
    options, unknown = parser.parse_known_args(words[1:])
    if unknown:
        known = [name for name, (verbs, _) in OPTIONS.items() if verb in verbs]
        raise BadInput(f"unknown option {unknown[0]!r}{suggest(unknown[0], known)}; known: {', '.join(known)}")
    options.verb = verb
    options.more = _parameters(options)
    return _checked(options)


def show_help(options: Namespace) -> int:
    """Print the verbs."""
    print("usage: replicate VERB [options]     replicate VERB --help\n")
    print("\n".join(f"  {name:8} {text}" for name, text in VERBS.items()))
    return 0


def _parser(verb: str) -> Parser:
    parser = Parser(prog=f"replicate {verb}", description=VERBS[verb], allow_abbrev=False)
    for name, (verbs, details) in OPTIONS.items():
        if verb in verbs:
            parser.add_argument(name, **details)
    if verb == "dataset":
        parser.add_argument("tier", nargs="?", help="behaviour the data come from")
    if verb in PARAMETERS:
        parser.add_argument(
            "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help=PARAMETERS[verb]
        )
    return parser


def _parameters(options: Namespace) -> dict[str, Any]:
    """`-p name value` pairs; those that are options as well are set there."""
    more = {}
    for name, text in getattr(options, "p", []):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text
        if name in ("profile", "seeds", "runs", "figures", "cluster"):
            setattr(options, name, value)
        else:
            more[name] = value
    return more


def _checked(options: Namespace) -> Namespace:
    if getattr(options, "profile", None) is not None:
        choose("profile", options.profile, PROFILES)
    seeds = getattr(options, "seeds", 0)
    if not isinstance(seeds, int) or seeds < 0:
        raise BadInput(f"--seeds must be a whole number >= 0 (0: the profile's own), got {seeds}")
    if getattr(options, "budget", None) is not None:
        scheduler.seconds_of(options.budget)
    if hasattr(options, "cluster"):
        clusters.check(options.cluster)
    return options
