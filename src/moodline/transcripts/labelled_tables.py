"""Labels in tables: Moodline's own CSV, and others with a column of emotions."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence

from moodline.transcripts.common import Source

_LABELS = (
    "corrected_emotion", "emotion_corrected", "corrected", "gold", "gold_emotion", "emotion", "emotion_label", "label",
    "sentiment", "affect",
)  # fmt: skip
_IDS = ("id", "utterance_id", "utt_id")
_CONVERSATIONS = ("conversation", "conversation_id", "dialogue_id", "dialog_id", "conv_id", "call_id", "scene_id")
_FALSE = ("", "0", "false", "no", "none")


def table_labels(source: Source) -> dict[tuple[str, str], str]:
    """Conversation and utterance id to label; the conversation is empty where the table names none.

    Of several columns the one of corrections counts where it is filled. An answer from which Moodline abstained is none
    unless it was changed: unless it is no longer the one with the highest probability.
    """
    sample = source.text[:20_000]
    separator = max("\t,;|", key=lambda c: sample.split("\n", 1)[0].count(c))
    rows = list(csv.reader(io.StringIO(source.text), delimiter=separator))
    if not rows:
        return {}
    head = [cell.strip().lstrip("\ufeff").lower().replace(" ", "_") for cell in rows[0]]
    labels = [head.index(name) for name in _LABELS if name in head]
    own = next((head.index(name) for name in _IDS if name in head), None)
    whole = next((head.index(name) for name in _CONVERSATIONS if name in head), None)
    probable = {name.removeprefix("probability_"): n for n, name in enumerate(head) if name.startswith("probability_")}
    unsure = head.index("abstained") if "abstained" in head else None
    out: dict[tuple[str, str], str] = {}
    count = Counter[str]()
    for row in rows[1:]:
        if not any(cell.strip() for cell in row):
            continue
        cells = [cell.strip().removeprefix("'") for cell in row] + [""] * (len(head) - len(row))
        name = cells[whole] if whole is not None else ""
        number, count[name] = count[name], count[name] + 1
        label = next((cells[n] for n in labels if cells[n]), "")
        if not label or (unsure is not None and cells[unsure].lower() not in _FALSE and label == _top(cells, probable)):
            continue
        for conversation in {name, ""}:
            out.setdefault((conversation, cells[own] if own is not None and cells[own] else f"u{number}"), label)
            out.setdefault((conversation, f"u{number}"), label)
    return out


def _top(cells: Sequence[str], probable: Mapping[str, int]) -> str:
    """The label with the highest probability of a row."""

    def value(label: str) -> float:
        try:
            return float(cells[probable[label]])
        except ValueError:
            return -1.0

    return max(probable, key=value, default="")
