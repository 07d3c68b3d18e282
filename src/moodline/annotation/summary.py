"""Counts of many results: per item, speaker and group, and over the course of the conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

TENTHS = 10
"""Parts of a conversation, by the order of its turns, for the course of emotions."""

UNSURE = "unsure"
"""The column of turns for which the model abstained."""


@dataclass
class Tally:
    """Counts of turns.

    Args:
        turns: how many.
        seconds: how long those with times last together.
        emotions: label to turns, without abstained ones.
        abstained: turns for which the model abstained.
        values: sum of the values of a regression, and their number.
    """

    turns: int = 0
    seconds: float = 0.0
    emotions: Counter[str] = field(default_factory=Counter)
    abstained: int = 0
    values: tuple[float, int] = (0.0, 0)

    def add(self, turn: Mapping[str, Any]) -> None:
        """Count one utterance of a result."""
        self.turns += 1
        if turn["start"] is not None and turn["end"] is not None:
            self.seconds += turn["end"] - turn["start"]
        if "value" in turn:
            self.values = (self.values[0] + turn["value"], self.values[1] + 1)
        elif turn["abstained"]:
            self.abstained += 1
        else:
            self.emotions[turn["emotion"]] += 1

    def row(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """The counts as columns: turns, seconds, a share for each label and for unsure turns, the mean value."""
        shares = {label: round(self.emotions[label] / self.turns, 4) for label in labels} if self.turns else {}
        row: dict[str, Any] = {"turns": self.turns, "seconds": round(self.seconds, 2), **shares}
        if labels:
            row[UNSURE] = round(self.abstained / self.turns, 4) if self.turns else 0.0
        if self.values[1]:
            row["mean value"] = round(self.values[0] / self.values[1], 4)
        return row


@dataclass
class Totals:
    """All counts.

    Args:
        all: of everything.
        items: item id to its counts.
        speakers: (item id, speaker) to counts.
        groups: (column of the manifest, value) to counts.
        course: tenth of a conversation, from 0, to counts.
        labels: every label, in the order of the models.
        models: model to items.
        notes: item id to the notes of its result.
        keys: item id to its key.
    """

    all: Tally = field(default_factory=Tally)
    items: dict[str, Tally] = field(default_factory=dict)
    speakers: dict[tuple[str, str], Tally] = field(default_factory=dict)
    groups: dict[tuple[str, str], Tally] = field(default_factory=dict)
    course: dict[int, Tally] = field(default_factory=dict)
    labels: dict[str, None] = field(default_factory=dict)
    models: Counter[str] = field(default_factory=Counter)
    notes: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any], predictions: list[dict[str, Any]]) -> None:
        """Count one item.

        Args:
            row: of the list of inputs: id, key, about.
            predictions: of its result file.
        """
        item = str(row["id"])
        self.keys[item] = row["key"]
        self.notes[item] = list(dict.fromkeys(note for p in predictions for note in p["notes"]))
        mine = self.items.setdefault(item, Tally())
        for p in predictions:
            self.models[p["model"]] += 1
            self.labels.update(dict.fromkeys(p["labels"]))
            size = len(p["utterances"])
            for n, turn in enumerate(p["utterances"]):
                tallies = [self.all, mine, self.course.setdefault(n * TENTHS // size, Tally())]
                tallies.append(self.speakers.setdefault((item, turn["speaker"] or ""), Tally()))
                for name, value in row["about"].items():
                    tallies.append(self.groups.setdefault((name, str(value)), Tally()))
                for tally in tallies:
                    tally.add(turn)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Name to rows: summary, items, speakers, groups, course."""
        labels = tuple(self.labels)
        whole = {"items": len(self.items), "models": ", ".join(sorted(self.models)), **self.all.row(labels)}
        return {
            "summary": [whole],
            "items": list(self._items(labels)),
            "speakers": [{"item": i, "speaker": s, **t.row(labels)} for (i, s), t in self.speakers.items()],
            "groups": [{"column": c, "value": v, **t.row(labels)} for (c, v), t in sorted(self.groups.items())],
            "course": [
                {"from %": n * 100 // TENTHS, "to %": (n + 1) * 100 // TENTHS, **t.row(labels)}
                for n, t in sorted(self.course.items())
            ],
        }

    def _items(self, labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for item, tally in self.items.items():
            yield {"item": item, **tally.row(labels), "notes": " ".join(self.notes[item]), "key": self.keys[item]}
