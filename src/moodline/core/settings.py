"""The base of every configuration object, and how one is made of plain data."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

from moodline.core.errors import ConfigError

T = TypeVar("T")


class Settings:
    """A frozen dataclass read from YAML or JSON: unknown keys are errors, and all errors are reported together.

    The checking is pydantic's, asked for by ``parse``; this class only carries the rule, so that models and encoders
    can declare their settings without importing anything.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


def parse(kind: type[T], data: Any, where: str) -> T:
    """Build a configuration object from plain data.

    Args:
        kind: a dataclass.
        data: what YAML or JSON gave.
        where: named in errors.

    Raises:
        ConfigError: one line with all unknown keys and wrong values.
    """
    value, problems = validated(kind, data)
    if value is None:
        raise ConfigError(f"{where}: {'; '.join(problems)}")
    return value


def validated(kind: type[T], data: Any, path: str = "") -> tuple[T | None, list[str]]:
    """The configuration object, or None and everything that is wrong; ``path`` leads to it."""
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(data, dict):
        return None, [f"expected a mapping (found: {type(data).__name__})"]
    wrong = [repr(key) for key in data if not isinstance(key, str)]
    if wrong:
        return None, [f"keys must be words (found: {', '.join(wrong)})"]
    try:
        return TypeAdapter(kind).validate_python(data), []
    except ValidationError as error:
        found: dict[str, str] = {}  # one for each place, though pydantic tells each member of a union
        for one in error.errors(include_url=False):
            place = ".".join([*([path] if path else []), *(str(p) for p in one["loc"] if not _is_type(p))])
            found.setdefault(place, _problem(kind, one, place))
        return None, list(found.values())


def _is_type(part: str | int) -> bool:
    """Whether a part of an error's place is the name of a union's member, not of a field."""
    return part == "str" or "[" in str(part)


def _problem(kind: type, error: Any, path: str) -> str:
    if error["type"] == "unexpected_keyword_argument":
        known = _fields_at(kind, error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        return f"unknown key {path}" + (f" (did you mean {near[0]}?)" if near else f" (known: {', '.join(known)})")
    if error["type"] in ("missing", "missing_argument"):
        return f"{path} is missing"
    if error["type"] == "value_error":
        return f"{path}: {error['ctx']['error']}" if path else str(error["ctx"]["error"])
    return f"{path}: {error['msg'].lower()} (found: {str(error['input'])[:60]!r})"


def _fields_at(kind: Any, path: Sequence[str | int]) -> list[str]:
    """Names of the fields of the dataclass that ``path`` leads to."""
    for part in path:
        hints = get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
        kind = hints.get(str(part), kind)
        inner = [a for a in (kind, *get_args(kind)) if dataclasses.is_dataclass(a)]
        kind = inner[0] if inner else kind
    return [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
