"""Settings: one frozen object per thing, each field with its meaning, unit and origin.

An unknown name, a wrong type or a value out of range is one clear line (`BadInput`).
"""

import difflib
import hashlib
import json
from collections.abc import Iterable
from typing import Any, Literal, Self

import pydantic

Profile = Literal["smoke", "quick", "full"]
PROFILES: tuple[Profile, ...] = ("smoke", "quick", "full")


class BadInput(ValueError):
    """Bad input from a user: the message is one line with what was given, what is allowed, what to do."""


def setting(default: Any, meaning: str, *, unit: str = "", origin: str, **limits: Any) -> Any:
    """A field of a `Settings` class.

    Args:
        default: the value used unless another is given; `...` for none.
        meaning: what it is, in one phrase.
        unit: physical or counting unit; empty for plain numbers and words.
        origin: where the default comes from: a paper's section, a public code base, or "ours (A-nn)".
        limits: pydantic limits such as `gt=0` or `le=1`.
    """
    return pydantic.Field(default, description=meaning, json_schema_extra={"unit": unit, "origin": origin}, **limits)


def suggest(given: str, known: Iterable[str]) -> str:
    """'(did you mean X?)' with a leading blank, or an empty string."""
    close = difflib.get_close_matches(given, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def choose(what: str, given: str, known: Iterable[str]) -> str:
    """Return `given` if it is one of `known`, else raise a one-line `BadInput`."""
    names = sorted(known)
    if given not in names:
        raise BadInput(f"unknown {what} {given!r}{suggest(str(given), names)}; known: {', '.join(names)}")
    return given


class Settings(pydantic.BaseModel):
    """Base of all settings: immutable, unknown names refused, every field documented."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise BadInput(_one_line(type(self), error)) from None

    @classmethod
    def load(cls, values: dict[str, Any]) -> Self:
        """Build from plain (JSON) values."""
        return cls(**values)

    def but(self, **changes: Any) -> Self:
        """A copy with some values changed, checked like a new one; `a__b=1` reaches into the nested field `a`."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        nested: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            head, _, tail = name.partition("__")
            if tail and isinstance(values.get(head), Settings):
                nested.setdefault(head, {})[tail] = value
            else:
                values[name] = value
        for head, inner in nested.items():
            values[head] = values[head].but(**inner)
        return type(self)(**values)

    def plain(self) -> dict[str, Any]:
        """JSON-ready dictionary of all values."""
        return self.model_dump(mode="json")

    def flat(self, prefix: str = "") -> dict[str, Any]:
        """One level of `name` or `outer.name` -> plain value."""
        rows: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Settings):
                rows.update(value.flat(f"{prefix}{name}."))
            else:
                rows[prefix + name] = self.plain()[name]
        return rows

    def digest(self) -> str:
        """12 hexadecimal digits that change with any value."""
        return digest(self.plain())

    def describe(self, prefix: str = "") -> list[dict[str, Any]]:
        """Rows (name, value, unit, meaning, origin), nested settings included, for tables and tests."""
        rows: list[dict[str, Any]] = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Settings):
                rows.extend(value.describe(f"{prefix}{name}."))
                continue
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            rows.append(
                {
                    "name": prefix + name,
                    "value": value,
                    "unit": extra.get("unit", ""),
                    "meaning": field.description or "",
                    "origin": extra.get("origin", ""),
                }
            )
        return rows


def digest(value: Any) -> str:
    """12 hexadecimal digits of any JSON-ready value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _one_line(cls: type[Settings], error: pydantic.ValidationError) -> str:
    parts = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = list(cls.model_fields)
            parts.append(f"unknown setting {name!r}{suggest(name, known)}; known: {', '.join(known)}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            parts.append(f"{name}: {message}, got {problem['input']!r}" if name else message)
    return f"{cls.__name__}: " + "; ".join(parts)
