"""JSON of chats: messages with somebody who wrote them, as language models and messengers keep them.

``{"messages": [{"role": "user", "content": "…"}, …]}``, the list alone, or the same with ``from`` and ``text`` or
``value``; who wrote a message may be an object (Discord's ``author``, Slack's ``user_profile``).
Messages that nobody says to anybody (roles ``system``, ``developer``, ``tool``; who joined a channel) and those without
words (pictures, calls) are left out. When a message was written is no place in a recording, so there are no times.
"""

from __future__ import annotations

from typing import Any

SPEAKER = ("speaker", "name", "author", "from", "sender", "user_profile", "user", "role")
NAMES = ("nickname", "display_name", "real_name", "global_name", "name", "username")
"""Where an object in place of a name says it."""

WORDS = ("text", "content", "message", "body", "value")
UNSAID = ("system", "developer", "tool", "function")


def chat(data: Any) -> dict[str, Any] | None:
    """A chat as a conversation's object, or None if it is none.

    Args:
        data: what a JSON file holds.
    """
    messages = data
    if isinstance(data, dict) and "utterances" not in data:
        messages = data.get("messages", data.get("conversations"))
    if not isinstance(messages, list) or not messages or not all(_is_message(m) for m in messages):
        return None
    rows = [
        {"speaker": _speaker(m), "text": words} for m in messages if not _unsaid(m) and (words := _words(m)).strip()
    ]
    head = {"id": data["id"]} if isinstance(data, dict) and isinstance(data.get("id"), str) else {}
    return {**head, "utterances": rows}


def _is_message(data: Any) -> bool:
    return (
        isinstance(data, dict) and "utterances" not in data and any(isinstance(data.get(w), str | list) for w in WORDS)
    )


def _unsaid(message: dict[str, Any]) -> bool:
    kind = message.get("type") if isinstance(message.get("author"), dict) else "Default"  # Discord's
    events = ("channel_", "group_")  # Slack's
    subtype = message.get("subtype")
    return (
        message.get("role") in UNSAID
        or kind not in ("Default", "Reply", None)
        or (isinstance(subtype, str) and subtype.startswith(events))
    )


def _speaker(message: dict[str, Any]) -> str | None:
    found = (_name(message.get(key)) for key in SPEAKER)
    return next((name for name in found if name), None)


def _name(value: Any) -> str | None:
    if isinstance(value, dict):
        return next((value[key] for key in NAMES if isinstance(value.get(key), str) and value[key]), None)
    return value if isinstance(value, str) else None


def _words(message: dict[str, Any]) -> str:
    """The words of a message; where it is made of parts, those of its texts."""
    value = next(message[key] for key in WORDS if isinstance(message.get(key), str | list))
    parts = value if isinstance(value, list) else [value]
    texts = (p.get("text", "") if isinstance(p, dict) else p for p in parts)
    return "".join(t for t in texts if isinstance(t, str))
