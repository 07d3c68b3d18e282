"""The folder of results: what is done, what failed, and which input has which result.

results/KE/KEY.json    one whole file for each key; see ``annotator.Annotator.key``
reports/KEY.html       its report, if asked for
failed/HASH.json       an item that could not be annotated, by its id
failed.jsonl           all of them, one a line
inputs*.jsonl          items and their keys, one file for each shard
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodline.annotation.item import Item
from moodline.core.errors import ConfigError
from moodline.core.files import locked, make_folder, write_bytes, write_text
from moodline.core.hashing import text_hash


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``total`` of the items, counted from 1: every ``total``-th one."""

    number: int = 1
    total: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``.

        Raises:
            ConfigError: not two numbers with 1 ≤ i ≤ n.
        """
        first, _, second = text.partition("/")
        if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
            raise ConfigError("--shard must be i/n with 1 ≤ i ≤ n", text, "The third of eight parts: --shard 3/8")
        return cls(int(first), int(second))

    def of(self, items: list[Item]) -> list[Item]:
        """The items of this shard; all machines must see the same list."""
        return items[self.number - 1 :: self.total]

    @property
    def file(self) -> str:
        """The name of the shard's list of inputs."""
        return "inputs.jsonl" if self.total == 1 else f"inputs-{self.number}-of-{self.total}.jsonl"


class ResultFolder:
    """The folder of a run's results; several processes and machines may use it together.

    Args:
        path: made if it does not exist.

    Raises:
        ConfigError: ``path`` is a file, or a folder that holds something else.
        StorageError: the disk refused.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path}: expected a folder for the results", "a file", "Name another one.")
        make_folder(path / "results")

    def result(self, key: str) -> Path:
        """The result file of a key."""
        return self.path / "results" / key[:2] / f"{key}.json"

    def report(self, key: str) -> Path:
        """The HTML report of a key."""
        return self.path / "reports" / f"{key}.html"

    def done(self, key: str, report: bool) -> bool:
        """True if the key has its result, and its report if one is wanted."""
        return self.result(key).is_file() and (not report or self.report(key).is_file())

    def write(self, key: str, content: bytes) -> None:
        """Write a result file, whole or not at all."""
        make_folder(self.result(key).parent)
        write_bytes(self.result(key), [content])

    # -- failures -----------------------------------------------------------------------------------------------

    def failures(self) -> dict[str, dict[str, Any]]:
        """Item id to its failure: id, path, key, error, lasting."""
        found = {}
        for path in sorted((self.path / "failed").glob("*.json")):
            with suppress(OSError, ValueError):
                row = json.loads(path.read_text(encoding="utf-8"))
                found[str(row["id"])] = row
        return found

    def fail(self, item: Item, key: str | None, error: str, lasting: bool) -> None:
        """Note that an item could not be annotated.

        Args:
            item: which one.
            key: its key; None if its files could not be read.
            error: one line.
            lasting: False where trying again may help: a process was killed, a file was not there.
        """
        row = {"id": item.id, "path": str(item.path), "key": key, "error": error, "lasting": lasting}
        make_folder(self.path / "failed")
        write_text(self._failed(item.id), json.dumps(row, ensure_ascii=False) + "\n")

    def succeed(self, id_: str) -> None:
        """Forget the failure of an item, if it has one."""
        with suppress(FileNotFoundError):
            self._failed(id_).unlink()

    def _failed(self, id_: str) -> Path:
        return self.path / "failed" / f"{text_hash(id_)[:32]}.json"

    def write_failures(self) -> int:
        """Write ``failed.jsonl`` anew; returns the number of failed items."""
        with locked(self.path / "failed.jsonl"):
            failures = self.failures()
            lines = [
                json.dumps({k: row[k] for k in ("id", "path", "error")}, ensure_ascii=False)
                for _, row in sorted(failures.items())
            ]
            if lines:
                write_text(self.path / "failed.jsonl", "\n".join(lines) + "\n")
            else:
                (self.path / "failed.jsonl").unlink(missing_ok=True)
        return len(failures)

    # -- inputs -------------------------------------------------------------------------------------------------

    def write_inputs(self, shard: Shard, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the shard's list of inputs: id, paths, key, stamp (sizes and times of the files) and other columns."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_text(self.path / shard.file, text)

    def inputs(self) -> dict[str, dict[str, Any]]:
        """Item id to its row, of all shards; where several have an item, the list that was written last counts."""
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.path.glob("inputs*.jsonl"), key=lambda p: (p.stat().st_mtime_ns, p.name)):
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                found[row["id"]] = row
        return dict(sorted(found.items()))
