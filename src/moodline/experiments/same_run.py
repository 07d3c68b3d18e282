"""Whether a directory holds the run that is asked for: what was recorded when it began, against today's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError
from moodline.core.settings import Settings
from moodline.pipeline.recipe import same_settings

DIFFERENCES = {
    "recipe": "another recipe or other settings",
    "corpus_hash": "other corpus files",
    "space": "another space",
    "seeds": "another number of seeds",
    "seed": "another sampler seed",
}
"""Name of a recorded fact to the words for a different one."""


def check_same_run(out: Path, recorded: Any, now: Mapping[str, Any], settings: Settings, kind: str = "run") -> None:
    """Raise unless the run in ``out`` was begun with the same facts.

    Args:
        out: the run's directory.
        recorded: the facts written when the run began, as read; an older version may have known fewer settings.
        now: the facts of today, plain values; names are those of ``DIFFERENCES``. The value of "recipe" is not
            compared: ``settings`` is, in which settings that were not recorded have their defaults.
        settings: today's recipe.
        kind: the word for the run in the message.

    Raises:
        ConfigError: something differs, or nothing readable was recorded.
    """
    recorded = recorded if isinstance(recorded, dict) else {}
    plain = json.loads(json.dumps({k: v for k, v in now.items() if k != "recipe"}))
    other = [] if same_settings(recorded.get("recipe"), settings) else ["recipe"]
    other += [name for name in plain if recorded.get(name) != plain[name]]
    if other:
        words = " and ".join(DIFFERENCES[name] for name in other)
        raise ConfigError(f"{out}: holds a {kind} with {words}", fix="Choose another --out directory.")
