"""claims.toml: what a paper says, where, and by which rule our runs judge it. Written before the runs.

    [[claim]]
    id = "V5-losses"                     # unique within the file
    statement = "OPF loses less than MARL, MARL less than droop."
    where = "2110.14300 section 5.2"     # the place in the paper, or whose word it is otherwise
    evidence = "own text"                # how we know what stands there: one of EVIDENCE, below, with their meanings
    primary = true                       # default false
    min_seeds = 20                       # of every arm that is not deterministic
    deterministic = ["classical/*"]      # scripted arms: one run is all there is (patterns allowed)
    # blocked = "the 322-bus profiles are not public"     # optional: cannot be judged, and why

    [[claim.rule]]                       # one or more parts; "arm" below means "experiment/arm"
    kind = "order"                       # value(higher) - factor * value(lower) > margin
    metric = "loss_mw"
    lower = "learners/mappo"
    higher = "classical/droop"

Kinds: `order` (lower, higher, margin = 0, factor = 1; spare = 0: how much below `lower` still agrees, the margin of a
non-inferiority test), `value` (of, expected, tolerance), `bound` (of, at_least and/or
at_most), `slope` (of = "experiment" or "experiment/arm pattern", x = setting column, at_least and/or at_most,
for the log-log slope per seed; slack = 0: how far beyond a limit is still no contradiction) and `equivalence`
(a, b, margin). Every rule names a `metric` and may name an `aggregator` (mean, iqm, median). `order` and
`equivalence` may say `paired = true` (same seeds). All but `slope` may say `curve = "name"`: a per-day score
kept as curve (seed, day); days are then paired and resampled together with the seeds, which also gives a
deterministic arm an interval (over days).
A margin is part of the claim: a difference surely smaller than the margin contradicts it; so is a factor.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from replication.settings import BadInput, Settings, choose, digest, setting, suggest

_HERE = "claims.toml"
# Grade of a claim's source -> what it means. Of several places named, the weakest counts: grades fall from the first to
# "memory". "theory" and "ours" are no paper's word.
EVIDENCE = {
    "own text": "read in the paper itself, or in its abstract where the claim says so",
    "public code": "read in published code, the paper's or a related one's",
    "read-off": "read off a figure of the paper",
    "second hand": "known only through somebody else's summary of the paper",
    "memory": "recalled, not read again",
    "theory": "a theorem or a closed form; no paper's result is judged",
    "ours": "our own control, condition, prediction or measurement; no paper says it",
}


class Rule(Settings):
    """What every rule has."""

    metric: str = setting(..., "score that is judged", origin=_HERE)
    aggregator: Literal["mean", "iqm", "median"] = setting("mean", "statistic over seeds", origin=_HERE)
    arm_fields: ClassVar[tuple[str, ...]] = ("of",)

    def arms(self) -> tuple[str, ...]:
        """The experiment/arm names it speaks of."""
        return tuple(getattr(self, name) for name in self.arm_fields)

    def unit(self) -> str:
        """Metric with its statistic, for sentences."""
        return self.metric if self.aggregator == "mean" else f"{self.aggregator} of {self.metric}"


class Region(Rule):
    """A rule that wants a number inside [at_least, at_most]."""

    of: str = setting(..., "arm, or experiment for a slope", origin=_HERE)
    at_least: float | None = setting(None, "smallest value that agrees", origin=_HERE)
    at_most: float | None = setting(None, "largest value that agrees", origin=_HERE)

    def region(self) -> tuple[float, float]:
        low = float("-inf") if self.at_least is None else self.at_least
        return low, float("inf") if self.at_most is None else self.at_most

    def limits(self) -> str:
        parts = [("at least", self.at_least), ("at most", self.at_most)]
        return " and ".join(f"{word} {limit:g}" for word, limit in parts if limit is not None)


class Order(Rule):
    """value(higher) - factor * value(lower) > margin - spare; margin and spare exclude each other."""

    arm_fields = ("lower", "higher")
    lower: str = setting(..., "arm said to have the lower value", origin=_HERE)
    higher: str = setting(..., "arm said to have the higher value", origin=_HERE)
    margin: float = setting(0.0, "smallest difference that agrees", origin=_HERE, ge=0)
    factor: float = setting(1.0, "how many times the lower value is exceeded", origin=_HERE, gt=0)
    spare: float = setting(0.0, "how much below the lower one still agrees: non-inferiority", origin=_HERE, ge=0)
    paired: bool = setting(False, "compare equal seeds", origin=_HERE)
    curve: str | None = setting(None, "per-day curve to judge instead of the score", origin=_HERE)

    def region(self) -> tuple[float, float]:
        return self.margin - self.spare, float("inf")

    def words(self) -> str:
        more = f" by more than {self.margin:g}" if self.margin else ""
        times = "" if self.factor == 1.0 else f"{self.factor:g} times "
        how = _how(self.paired, self.curve)
        if self.spare:
            return f"{self.unit()}: {self.higher} at most {self.spare:g} below {times}{self.lower}{how}"
        return f"{self.unit()}: {times}{self.lower} below {self.higher}{more}{how}"


class Value(Rule):
    """|value - expected| <= tolerance."""

    of: str = setting(..., "arm", origin=_HERE)
    expected: float = setting(..., "value in the paper", origin=_HERE)
    tolerance: float = setting(..., "largest distance that agrees", origin=_HERE, ge=0)
    curve: str | None = setting(None, "per-day curve to judge instead of the score", origin=_HERE)

    def region(self) -> tuple[float, float]:
        return self.expected - self.tolerance, self.expected + self.tolerance

    def words(self) -> str:
        return f"{self.unit()}: {self.of} is {self.expected:g} within {self.tolerance:g}{_how(False, self.curve)}"


class Bound(Region):
    """at_least <= value <= at_most."""

    curve: str | None = setting(None, "per-day curve to judge instead of the score", origin=_HERE)

    def words(self) -> str:
        return f"{self.unit()}: {self.of} is {self.limits()}{_how(False, self.curve)}"


class Slope(Region):
    """at_least <= slope of log(metric) on log(x) <= at_most."""

    x: str = setting(..., "numeric setting column", origin=_HERE)
    slack: float = setting(0.0, "how far beyond a limit is still no contradiction", origin=_HERE, ge=0)

    def words(self) -> str:
        kept = f" (contradicted only beyond another {self.slack:g})" if self.slack else ""
        return f"log-log slope of {self.unit()} over {self.x}: {self.of} is {self.limits()}{kept}"


class Equivalent(Rule):
    """|value(a) - value(b)| <= margin."""

    arm_fields = ("a", "b")
    a: str = setting(..., "first arm", origin=_HERE)
    b: str = setting(..., "second arm", origin=_HERE)
    margin: float = setting(..., "largest difference that counts as none", origin=_HERE, gt=0)
    paired: bool = setting(False, "compare equal seeds", origin=_HERE)
    curve: str | None = setting(None, "per-day curve to judge instead of the score", origin=_HERE)

    def region(self) -> tuple[float, float]:
        return -self.margin, self.margin

    def words(self) -> str:
        return f"{self.unit()}: {self.a} equals {self.b} within {self.margin:g}{_how(self.paired, self.curve)}"


KINDS: dict[str, type[Rule]] = {
    "order": Order,
    "value": Value,
    "bound": Bound,
    "slope": Slope,
    "equivalence": Equivalent,
}
AnyRule = Order | Value | Bound | Slope | Equivalent


@dataclass(frozen=True)
class Claim:
    """One entry of claims.toml."""

    id: str
    statement: str
    where: str
    evidence: str
    min_seeds: int
    rules: tuple[AnyRule, ...]
    primary: bool = False
    deterministic: tuple[str, ...] = ()
    blocked: str = ""


def load_claims(path: Path | str) -> tuple[Claim, ...]:
    """Read and check a claims file.

    Raises:
        BadInput: one line naming the file, the claim and what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"no claims file at {path}; every paper folder has a claims.toml")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path} is not valid TOML: {error}") from None
    _known("top-level field", content, ("claim",), str(path))
    claims = tuple(_claim(entry, f"{path} claim {n}") for n, entry in enumerate(content.get("claim", []), start=1))
    names = [claim.id for claim in claims]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{path}: claim id {name!r} is used {names.count(name)} times; give each claim its own id")
    return claims


def claim_digest(claim: Claim) -> str:
    """12 hexadecimal digits of what decides: id, rules, minimum seeds, deterministic arms; not the prose."""
    rules = sorted((decisive(rule) for rule in claim.rules), key=lambda rule: json.dumps(rule, sort_keys=True))
    return digest([claim.id, claim.min_seeds, sorted(claim.deterministic), rules])


def decisive(rule: Rule) -> dict[str, Any]:
    """The rule as plain values without defaults: a field added to a kind later leaves old digests alone."""
    return {"kind": kind_of(rule), **rule.model_dump(mode="json", exclude_defaults=True)}


def rules_digests(path: Path | str) -> dict[str, str]:
    """{claim id: digest}: what a run stores when it starts, so that later rules can be told from earlier ones."""
    return {claim.id: claim_digest(claim) for claim in load_claims(path)}


def kind_of(rule: Rule) -> str:
    """Name of the rule's kind as written in claims.toml."""
    return next(name for name, cls in KINDS.items() if type(rule) is cls)


def _claim(entry: Mapping[str, Any], place: str) -> Claim:
    place = f"{place} ({entry['id']})" if isinstance(entry.get("id"), str) else place
    types = {"id": str, "statement": str, "where": str, "evidence": str, "min_seeds": int, "rule": list}
    optional = {"primary": bool, "deterministic": list, "blocked": str}
    _known("field", entry, (*types, *optional), place)
    needed = [name for name in types if name not in entry and name != "rule"]
    if needed:
        raise BadInput(f"{place}: field {needed[0]!r} is missing; needed: {', '.join(types)}")
    for name, value in entry.items():
        wanted = {**types, **optional}[name]
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise BadInput(f"{place}: {name} must be of type {wanted.__name__}, got {value!r}")
    if entry["min_seeds"] < 1:
        raise BadInput(f"{place}: min_seeds must be >= 1, got {entry['min_seeds']}")
    if not entry.get("rule") and "blocked" not in entry:
        raise BadInput(f'{place}: no rule; add a [[claim.rule]] or say blocked = "reason"')
    _guard(place, choose, "evidence grade", entry["evidence"], EVIDENCE)
    rules = tuple(_rule(rule, f"{place} rule {n}") for n, rule in enumerate(entry.get("rule", []), start=1))
    plain = {name: value for name, value in entry.items() if name not in ("rule", "deterministic")}
    return Claim(rules=rules, deterministic=tuple(entry.get("deterministic", ())), **plain)


def _rule(entry: Mapping[str, Any], place: str) -> AnyRule:
    if "kind" not in entry:
        raise BadInput(f"{place}: field 'kind' is missing; known: {', '.join(KINDS)}")
    kind = _guard(place, choose, "rule kind", entry["kind"], KINDS)
    rule = _guard(place, KINDS[kind], **{name: value for name, value in entry.items() if name != "kind"})
    if isinstance(rule, Region):
        low, high = rule.region()
        if not rule.limits() or low > high:
            raise BadInput(f"{place}: give at_least, at_most or both, in that order, got {rule.limits() or 'neither'}")
    if isinstance(rule, Order) and rule.margin and rule.spare:
        raise BadInput(f"{place}: give margin or spare, not both, got {rule.margin:g} and {rule.spare:g}")
    for arm in rule.arms():
        if "/" not in arm and kind != "slope":
            raise BadInput(f"{place}: arms are written experiment/arm, got {arm!r}")
    return rule


def _guard(place: str, function: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except BadInput as error:
        raise BadInput(f"{place}: {error}") from None


def _known(what: str, entry: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    names = tuple(known)
    for name in entry:
        if name not in names:
            raise BadInput(f"{place}: unknown {what} {name!r}{suggest(name, names)}; known: {', '.join(names)}")


def _how(paired: bool, curve: str | None) -> str:
    parts = [text for text, given in (("same seeds", paired), (f"paired days of {curve}", curve)) if given]
    return f" ({', '.join(parts)})" if parts else ""
