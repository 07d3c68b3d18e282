"""The store, the batches, names and durations, without a server."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from moodline import Conversation, Utterance
from moodline.core.errors import ConfigError, ConversationError
from moodline.core.prediction import Prediction
from moodline.service.auth import Keys
from moodline.service.batching import Batcher
from moodline.service.errors import ServiceError
from moodline.service.jobs import ATTEMPTS, DEATHS, JobStore
from moodline.service.models import ServedModels
from moodline.service.rooms import Rooms
from moodline.service.settings import ServiceSettings, parse_duration
from moodline.service.wish import file_name


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path)


def test_jobs_are_taken_in_order_and_once(store: JobStore) -> None:
    for name in "abc":
        store.add(name, "owner", f"{name}.wav", None, {})
    assert [job.id if (job := store.take()) else None for _ in range(4)] == ["a", "b", "c", None]
    store.put_back("b")
    store.add("d", "owner", "d.wav", 1.5, {"speakers": 2})
    waiting = [store.get(name) for name in "bd"]
    assert [store.before(job) for job in waiting if job] == [0, 1]
    taken = [store.take(), store.take()]
    assert [(job.id, job.attempts, job.wish) for job in taken if job] == [("b", 1, {}), ("d", 1, {"speakers": 2})]


def test_a_cancelled_job_does_not_end_otherwise(store: JobStore) -> None:
    store.add("a", "owner", "secret.wav", None, {"name": "secret.wav"})
    store.take()
    store.cancel("a")
    store.cancel("a")
    assert not store.end("a", "done")
    store.put_back("a")
    job = store.get("a")
    assert job is not None
    assert (job.state, job.name, job.wish) == ("cancelled", "", {})
    assert store.take() is None


def test_jobs_of_others(store: JobStore) -> None:
    store.add("a", "owner", "a.wav", None, {})
    assert store.get("a", "owner") == store.get("a")
    assert store.get("a", "other") is None


def test_a_job_that_ends_the_server_again_and_again_fails(store: JobStore) -> None:
    store.add("a", "owner", "a.wav", None, {})
    for size in range(2 * ATTEMPTS):  # as long as it gets further it goes on
        assert store.take() is not None
        store.recover(lambda id_, size=size: size + 1)
    for _ in range(ATTEMPTS):
        assert store.take() is not None
        store.recover(lambda id_: 2 * ATTEMPTS)
    job = store.get("a")
    assert job is not None
    assert (job.state, job.attempts) == ("failed", ATTEMPTS)
    assert job.error is not None
    assert "ended 20 times" in job.error["rule"]


def test_a_job_that_ended_the_server_lets_others_go_first(store: JobStore) -> None:
    for name in "ab":
        store.add(name, "owner", "", None, {})
    for _ in range(DEATHS):
        taken = store.take()
        assert taken is not None
        assert taken.id == "a"
        store.recover()
    waiting = [store.get(name) for name in "ab"]
    assert [store.before(job) for job in waiting if job] == [1, 0]
    assert [job.id if (job := store.take()) else None for _ in range(2)] == ["b", "a"]


def test_many_threads(store: JobStore) -> None:
    taken: list[str] = []

    def work(n: int) -> None:
        for k in range(10):
            store.add(f"{n}-{k}", "owner", "", None, {})
        while (job := store.take()) is not None:
            taken.append(job.id)
            assert store.end(job.id, "done")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 80
    assert store.counts() == {"done": 80}


def test_another_version_and_a_broken_store(tmp_path: Path) -> None:
    JobStore(tmp_path).close()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(ConfigError, match=r"jobs of another version \(found: 9\)"):
        JobStore(tmp_path)
    (tmp_path / "jobs.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(ConfigError, match="the jobs cannot be read"):
        JobStore(tmp_path)


def test_the_folder_is_put_right_after_any_end(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path / "r", 60)
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700
    for id_ in ("waits", "runs", "done", "gone"):
        draft = rooms.uploads / id_
        draft.mkdir()
        (draft / "a.wav").write_bytes(b"sound")
        rooms.accept(id_, draft, "owner", None, {"name": "a.wav"})
        (rooms.job(id_) / "work").mkdir()
        (rooms.job(id_) / "answer").mkdir()
        (rooms.job(id_) / "answer" / "json").write_bytes(b"{}")
    rooms.store.take()
    rooms.store.put_back("waits")
    for id_, state in (("done", "done"), ("gone", "cancelled")):
        rooms.store._db.execute("UPDATE jobs SET state = ?, ended = 0 WHERE id = ?", (state, id_))
    rooms.store._db.execute("UPDATE jobs SET state = 'running' WHERE id = 'runs'")
    (rooms.uploads / "half").mkdir()
    (rooms.job("runs") / "work" / ".sound.wav.12ab.tmp").write_bytes(b"half")
    (rooms.job("nobody")).mkdir()
    rooms.close()
    rooms = Rooms(tmp_path / "r", 60)
    names = sorted(str(p.relative_to(rooms.folder)) for p in rooms.folder.rglob("*") if p.is_dir())
    left = [f"jobs/{name}" for name in ("done", "done/answer", "runs", "runs/answer", "runs/work", "waits",
                                        "waits/answer", "waits/work")]  # fmt: skip
    assert names == ["jobs", *left, "uploads"]
    assert not (rooms.job("done") / "a.wav").exists()
    assert not list((rooms.job("runs") / "work").iterdir())
    assert [job.id if (job := rooms.store.take()) else None for _ in range(3)] == ["waits", "runs", None]
    assert rooms.remove_expired() == 2
    assert not rooms.job("done").exists()
    rooms.close()


# -- batches -----------------------------------------------------------------------------------------------------------


def talk(n: int) -> Conversation:
    rows = (Utterance("a", text=f"We won {n} cups!"), Utterance("b", text="Get out." * (1 + n % 3)))
    return Conversation(f"talk-{n}", rows)


@pytest.mark.parametrize("exact", [True, False])
def test_batches_change_nothing_and_errors_are_of_one(tiny_model: Path, exact: bool) -> None:
    settings = ServiceSettings(models=(str(tiny_model),), recordings=False, workers=2)
    models, sizes = ServedModels(settings), list[int]()
    batcher = Batcher(models, 2, 100, exact, lambda conversations, turns: sizes.append(conversations))
    served = models.choose(None, "conversations")
    silent = Conversation("silent", (Utterance("a", speaker="Ada"),))

    async def ask() -> list[Prediction | BaseException]:
        work = [batcher.recognize(served, silent if n == 7 else talk(n)) for n in range(40)]
        gone = asyncio.ensure_future(batcher.recognize(served, talk(99)))
        await asyncio.sleep(0)
        gone.cancel()
        batcher.start()
        return await asyncio.gather(*work, return_exceptions=True)

    answers = asyncio.run(ask())
    batcher.stop()
    assert not batcher.alive
    assert isinstance(answers.pop(7), ConversationError)
    recognizer = models.recognizers().get(served)
    for answer, n in zip(answers, [n for n in range(40) if n != 7], strict=True):
        recognizer.forget()
        alone = recognizer.recognize(talk(n))
        assert isinstance(answer, Prediction)
        if exact:
            assert answer == alone
        else:
            for u, v in zip(answer.utterances, alone.utterances, strict=True):
                assert u.probabilities == pytest.approx(v.probabilities, abs=1e-5)
    assert sum(sizes) == 40
    assert max(sizes) > 1


def test_too_many_wait(tiny_model: Path) -> None:
    models = ServedModels(ServiceSettings(models=(str(tiny_model),), recordings=False))
    batcher = Batcher(models, 1, 2)
    served = models.choose(None, "conversations")

    async def ask() -> None:
        waiting = [asyncio.ensure_future(batcher.recognize(served, talk(n))) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceError) as caught:
            await batcher.recognize(served, talk(3))
        assert (caught.value.status_code, caught.value.headers) == (429, {"Retry-After": "1"})
        for other in waiting:
            other.cancel()

    asyncio.run(ask())


# -- names, keys, durations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("call.wav", "call.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\calls\\call 1.mp3", "call 1.mp3"),
        ("..", "recording"),
        (None, "recording"),
        (".wav", "recording.wav"),
        ("a\0b\n<c>.wav", "a_b__c_.wav"),
        ("ü" * 300 + ".wav", "ü" * 40 + ".wav"),
        ("name.of-no-suffix-at-all", "name.of-no-suffix-at-all"),
    ],
)
def test_names_of_files(given: str | None, name: str) -> None:
    assert file_name(given, "recording") == name


def test_keys_are_compared_whole() -> None:
    keys = Keys(["first-key", "second-key"])
    assert keys.owner("Bearer first-key") == keys.owner("bearer  first-key") != keys.owner("Bearer second-key")
    for wrong in (None, "", "first-key", "Basic first-key", "Bearer first", "Bearer first-key2", "Bearer "):
        with pytest.raises(ServiceError, match="a key of this service is needed"):
            keys.owner(wrong)


def test_durations() -> None:
    assert [parse_duration(text) for text in ("90", "90s", "1.5m", "2h", "7d")] == [90, 90, 90, 7200, 604800]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.3.2.1"])
def test_this_machine_needs_no_key(host: str) -> None:
    assert ServiceSettings(host=host).loopback
