"""Label Studio's exports of dialogues: what people chose, as labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError


def is_tasks(objects: Sequence[Any]) -> bool:
    """Whether these are tasks of Label Studio with a dialogue (JSON), or their short form (JSON-MIN)."""
    return bool(objects) and all(isinstance(o, dict) and _dialogue(o) is not None for o in objects)


def conversations_of_tasks(tasks: Sequence[Mapping[str, Any]], place: str) -> list[Conversation]:
    """The dialogues with the labels of the last annotation that was not cancelled; predictions are no labels.

    Args:
        tasks: see ``is_tasks``.
        place: the file, for error messages.

    Raises:
        TranscriptError, ConversationError: a turn has no words, or contradicts itself.
    """
    return [_conversation(task, n, place) for n, task in enumerate(tasks)]


def _dialogue(task: Mapping[str, Any]) -> list[Any] | None:
    data = task.get("data", task)
    rows = data.get("dialogue") if isinstance(data, dict) else None
    return rows if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows) else None


def _conversation(task: Mapping[str, Any], number: int, place: str) -> Conversation:
    data, turns = task.get("data", task), _dialogue(task) or []
    labels = _labels(task)
    rows = []
    for n, turn in enumerate(turns):
        if not isinstance(turn.get("text"), str):
            raise TranscriptError(f"{place}, task {number}, turn {n}: expected words", repr(turn.get("text"))[:40])
        row = {"id": str(turn.get("id") or f"u{n}"), "speaker": turn.get("author") or None, "text": turn["text"]}
        row |= {side: turn.get(side) for side in ("start", "end")}
        rows.append(row | {"emotion": labels.get(n)})
    whole = {"id": str(data.get("id") or task.get("id") or number), "utterances": rows}
    if isinstance(data.get("media"), str):
        whole["media"] = data["media"]
    return Conversation.from_dict(whole, f"{place}, task {number}")


def _labels(task: Mapping[str, Any]) -> dict[int, str]:
    """Turn to label."""
    results: list[Any] = []
    annotations = task.get("annotations", task.get("completions"))
    if isinstance(annotations, list):
        done = [a for a in annotations if isinstance(a, dict) and not a.get("was_cancelled")]
        results = (done[-1].get("result") or []) if done else []
    elif isinstance(task.get("emotion"), list):  # the short form
        results = [{"value": value} for value in task["emotion"]]
    out: dict[int, str] = {}
    for result in results:
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, dict):
            continue
        chosen = value.get("paragraphlabels") or value.get("labels") or value.get("choices")
        start = str(value.get("start", ""))
        if isinstance(chosen, list) and chosen and start.isdecimal():
            out[int(start)] = str(chosen[0]).strip().lower()
    return out
