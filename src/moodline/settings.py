"""The base of every configuration object."""

from __future__ import annotations

from typing import Any, ClassVar


class Settings:
    """A frozen dataclass read from YAML or JSON: unknown keys are errors, and all errors are reported together.

    The checking is pydantic's, asked for in ``config.py``; this class only carries the rule, so that models and
    encoders can declare their settings without importing anything.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
