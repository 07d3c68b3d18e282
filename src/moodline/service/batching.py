"""Conversations that arrive together are computed together, by a few threads.

While a thread computes, requests gather; when it is free it takes its share of all that wait. Nobody waits for company.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from moodline.core.conversation import Conversation
from moodline.core.prediction import Prediction
from moodline.pipeline.recognizer import Recognizer
from moodline.service.errors import busy
from moodline.service.models import Lane, Served, ServedModels

MOST = 32
"""Conversations that one thread computes together."""


@dataclass(frozen=True)
class Waiting:
    """A conversation whose answer is awaited."""

    served: Served
    conversation: Conversation
    abstain_below: float | None
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Prediction]


class Batcher:
    """Threads that compute conversations.

    Args:
        models: what is served.
        workers: how many threads.
        most: conversations that may wait; one more is refused.
        exact: see ``ServiceSettings``.
        observe: called with the number of conversations of each batch, and of their turns.
    """

    def __init__(
        self,
        models: ServedModels,
        workers: int,
        most: int,
        exact: bool = True,
        observe: Callable[[int, int], None] = lambda conversations, turns: None,
    ) -> None:
        self._lanes = [models.recognizers() for _ in range(workers)]
        self._most, self._exact, self._observe = most, exact, observe
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._idle, self._stopping = 0, False
        self._seconds = 0.1
        """A moving mean of the seconds that one conversation takes."""
        self._threads = [
            threading.Thread(target=self._run, args=(lane,), name=f"conversations-{n}", daemon=True)
            for n, lane in enumerate(self._lanes)
        ]

    def start(self, warm: Served | None = None) -> None:
        """Load what is needed and start the threads."""
        for lane in self._lanes:
            if warm is not None:
                lane.warm(warm)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads when what waits has been answered."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    @property
    def alive(self) -> bool:
        """True if every thread is at work."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """Conversations that no thread has taken yet."""
        return len(self._waiting)

    def delay(self, count: int) -> float:
        """Seconds until so many conversations should be answered."""
        return self._seconds * count / len(self._lanes)

    async def recognize(
        self, served: Served, conversation: Conversation, abstain_below: float | None = None
    ) -> Prediction:
        """The prediction of a conversation; the same whatever else arrives.

        Raises:
            ServiceError: 429, too many wait.
            MoodlineError: see ``Recognizer.recognize``.
        """
        loop = asyncio.get_running_loop()
        item = Waiting(served, conversation, abstain_below, loop, loop.create_future())
        with self._changed:
            if len(self._waiting) >= self._most:
                raise busy(self.delay(len(self._waiting) + 1))
            self._waiting.append(item)
            self._changed.notify()
        return await item.answer

    def _run(self, lane: Lane) -> None:
        while items := self._take():
            begun = time.monotonic()
            try:
                recognizer = lane.get(items[0].served)
                for item, outcome in (_exactly if self._exact else _together)(recognizer, items):
                    _give(item, outcome)
                recognizer.forget()  # nobody's words stay, and none change later answers
            except Exception as error:  # the thread goes on; those that have their answer keep it
                for item in items:
                    _give(item, error)
            each = (time.monotonic() - begun) / len(items)
            self._seconds += 0.2 * (each - self._seconds)
            self._observe(len(items), sum(len(item.conversation) for item in items))

    def _take(self) -> list[Waiting]:
        """This thread's share of what waits, all for one model; nothing when the service ends."""
        with self._changed:
            self._idle += 1
            try:
                while True:
                    while self._waiting and self._waiting[0].answer.done():  # the client has gone
                        self._waiting.popleft()
                    if self._waiting:
                        break
                    if self._stopping:
                        return []
                    self._changed.wait()
                share = -(-len(self._waiting) // self._idle)
            finally:
                self._idle -= 1
            served = self._waiting[0].served
            items: list[Waiting] = []
            while self._waiting and len(items) < min(share, MOST) and self._waiting[0].served is served:
                item = self._waiting.popleft()
                if not item.answer.done():
                    items.append(item)
            if self._waiting and self._idle:
                self._changed.notify()
            return items


Outcome = tuple[Waiting, Prediction | Exception]


def _one(recognizer: Recognizer, item: Waiting) -> Outcome:
    try:
        return item, recognizer.recognize(item.conversation, item.abstain_below)
    except Exception as error:  # one request's error is not another's
        return item, error


def _exactly(recognizer: Recognizer, items: list[Waiting]) -> Iterator[Outcome]:
    """Each conversation encoded by itself, so that not even the last bit depends on the others."""
    for item in items:
        recognizer.forget()
        yield _one(recognizer, item)


def _together(recognizer: Recognizer, items: list[Waiting]) -> Iterator[Outcome]:
    """All texts encoded in one go; answers are the same up to rounding."""
    recognizer.forget()
    recognizer.prepare([item.conversation for item in items])
    for item in items:
        yield _one(recognizer, item)


def _give(item: Waiting, outcome: Prediction | Exception) -> None:
    def give() -> None:
        if item.answer.done():  # the client has gone, or has its answer
            return
        if isinstance(outcome, Exception):
            item.answer.set_exception(outcome)
        else:
            item.answer.set_result(outcome)

    with suppress(RuntimeError):  # the loop has ended
        item.loop.call_soon_threadsafe(give)
