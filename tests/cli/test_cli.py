"""The command line: what it prints, and how it refuses every kind of bad input: one line, exit code 2, nothing left."""

from __future__ import annotations

import csv
import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moodline.transcripts.read import read_transcript
from tests.tiny import FEATURES, LABELS, TEXT, call, command, start, weights_hash, write_features, write_recipe

SAMPLES = Path(str(files("moodline") / "samples"))
TALK = {"id": "talk", "utterances": [{"id": "a", "speaker": "Ada", "start": 0.0, "end": 1.5, "text": "hooray, we won"}]}
COMMANDS = ("analyze", "compare", "convert", "corpora", "doctor", "encode", "encoders", "evaluate", "experiment",
            "inspect", "models", "overlap", "recipes", "results", "search", "train")  # fmt: skip


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def one_line(error: str) -> str:
    """The message, if standard error holds one line that begins with the program's name."""
    assert error.startswith("moodline: "), error
    assert error.count("\n") == 1, error
    assert error.endswith("\n")
    assert "Traceback" not in error
    assert len(error) < 700
    return error


def refused(folder: Path, expected: str, *arguments: object) -> None:
    """The command says ``expected`` in one line, ends with 2, and changes nothing in ``folder``."""
    before = snapshot(folder)
    code, out, error = call(*arguments)
    assert expected in one_line(error)
    assert (code, out) == (2, "")
    assert snapshot(folder) == before


# -- what it prints ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["corpora", "encoders", "models", "recipes"])
def test_listings(kind: str) -> None:
    code, out, error = call(kind, "--json")
    rows = json.loads(out)
    assert (code, error) == (0, "")
    assert rows
    assert all(isinstance(row, dict) and isinstance(row["name"], str) for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
    code, table, error = call(kind)
    assert (code, error) == (0, "")
    assert all(row["name"] in table for row in rows)


def test_doctor() -> None:
    code, out, error = call("doctor", "--json")
    found = json.loads(out)
    assert (code, error) == (0, "")
    assert {"moodline", "python", "device", "caches", "checks"} <= set(found)
    for check in found["checks"]:
        assert {"name", "ok", "required", "found", "for", "fix"} == set(check)
        assert check["ok"] or check["fix"]
    assert call("doctor")[0] == 0


@pytest.mark.process
def test_the_device_of_doctor_is_that_of_inference_and_training() -> None:
    """Where only Apple's GPU is there, which Accelerate would take by itself."""
    script = """
import torch
torch.cuda.is_available = lambda: False
torch.backends.mps.is_available = torch.backends.mps.is_built = lambda: True
from moodline.core.device import default_device
from moodline.cli.doctor import examine
from moodline.training.processes import processes
found = examine()["device"]
print(found["use"], default_device(), processes().device, "not used" in found["detail"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cpu", "cpu", "cpu", "True"]


def test_doctor_says_what_to_do_about_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.cli import doctor

    absent = (("nowhere_to_be_found", "nowhere", "something", "listen"), ("no_such_core", "core", "all", None))
    monkeypatch.setattr(doctor, "PACKAGES", absent)
    code, out, _ = call("doctor", "--json")
    fixes = [c["fix"] for c in json.loads(out)["checks"][:2]]
    assert fixes[0].startswith("pip install ")
    assert fixes[0].endswith("[listen]'")
    assert fixes[1] == "pip install core"
    assert code == 1  # a required one is missing
    assert "[listen]'" in "".join(call("doctor")[1].split()), "the bracket is no markup"


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'moodline[listen]'"),
        ({"url": "file:///a%20b/w.whl", "archive_info": {}}, "pip install 'moodline[listen] @ file:///a%20b/w.whl'"),
        ({"url": "file:///a%20b/c", "dir_info": {}}, "pip install '/a b/c[listen]'"),
        ({"url": "file:///c", "dir_info": {"editable": True}}, "pip install -e '/c[listen]'"),
        (
            {"url": "https://x.org/m.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            "pip install 'moodline[listen] @ git+https://x.org/m.git'",
        ),
    ],
)
def test_an_extra_is_installed_from_where_moodline_came(
    origin: dict[str, Any] | None, command: str, tmp_path: Path
) -> None:
    """In an installation as pip writes it: one folder of metadata first on the path."""
    info = tmp_path / "moodline-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moodline\nVersion: 0.1.0\n")
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from moodline.core.errors import install_command\n"
    script += "print(install_command('listen'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == command


def test_version_and_help() -> None:
    from moodline import __version__

    assert call("--version") == (0, f"moodline {__version__}\n", "")
    code, out, error = call("--help")
    assert (code, error) == (0, "")
    assert all(name in out for name in COMMANDS)
    for name in COMMANDS:
        code, out, error = call(name, "--help")
        assert (code, error) == (0, "")
        assert "Usage: " in out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['moodline', '--help']\n"
        "from moodline.__main__ import main\n"
        "main()\n"
        "print(*sorted({'torch', 'numpy', 'transformers', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""  # how quick it is: benchmarks/analyze_latency.py


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "mister-e/meld-minilm", "--data", "x", "--seeds", "0"),
        ("train", "mister-e/meld-minilm", "--data", "x", "--seeds", "many"),
        ("train", "mister-e/meld-minilm"),
        ("analyze", "x.srt", "--abstain-below", "2"),
        ("analyze", "x.srt", "--abstain-below", "-0.1"),
        ("analyze",),
        ("analize", "x.srt"),
        ("recipes", "--yaml"),
        ("compare", "one"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    code, out, error = call(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"moodline( \w+)?: .+[.?] See: moodline( \w+)? -h\n", error), error


# -- analyze ----------------------------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize("sample", ["family_dinner.json", "support_call.srt", "team_meeting.csv"])
def test_analyze_the_samples(sample: str, tiny_model: Path, tmp_path: Path) -> None:
    (conversation,) = read_transcript(SAMPLES / sample)
    target = tmp_path / "moods.json"
    code, out, error = call("analyze", SAMPLES / sample, "--model", tiny_model, "-o", target, "--json")
    assert (code, error) == (0, "")
    found = json.loads(out)
    assert json.loads(target.read_text()) == found
    assert [u["id"] for u in found["utterances"]] == [u.id for u in conversation]
    assert all(u["emotion"] in LABELS and u["weights"] == {"text": 1.0} for u in found["utterances"])
    code, table, error = call("analyze", SAMPLES / sample, "--model", tiny_model)
    assert (code, error) == (0, "")
    first = next(u for u in conversation if u.text)
    assert first.speaker is not None
    assert first.speaker in table
    assert found["utterances"][0]["emotion"] in table
    assert call("analyze", SAMPLES / sample, "--model", tiny_model, "--quiet") == (0, "", "")


@pytest.mark.parametrize("suffix", ["csv", "srt", "vtt", "jsonl", "parquet"])
def test_analyze_writes(suffix: str, tiny_model: Path, tmp_path: Path) -> None:
    target = tmp_path / f"moods.{suffix}"
    code, out, error = call("analyze", SAMPLES / "support_call.srt", "-m", tiny_model, "-o", target, "-q")
    assert (code, out, error) == (0, "", "")
    (conversation,) = read_transcript(SAMPLES / "support_call.srt")
    if suffix == "csv":
        rows = list(csv.DictReader(target.read_text(encoding="utf-8-sig").splitlines()))
        assert [r["id"] for r in rows] == [u.id for u in conversation]
        assert {r["emotion"] for r in rows} <= set(LABELS)
    if suffix in ("srt", "vtt"):  # a player shows it, and Moodline reads it again
        (again,) = read_transcript(target)
        assert [(u.start, u.end) for u in again] == [(u.start, u.end) for u in conversation]
    assert list(tmp_path.iterdir()) == [target]


def test_several_conversations_in_one_file(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps({**TALK, "id": name}) + "\n" for name in ("a", "b")))
    code, out, error = call("analyze", path, "-m", tiny_model, "--json")
    assert (code, error) == (0, "")
    assert [p["conversation"] for p in json.loads(out)] == ["a", "b"]
    refused(tmp_path, "subtitles hold one conversation", "analyze", path, "-m", tiny_model, "-o", tmp_path / "a.srt")


def test_what_a_reader_finds_doubtful_is_told(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("\n".join(f"{n}\n00:0{n} --> 00:0{n}\nnote: this is {n}\n" for n in range(1, 5)))
    (note,) = json.loads(call("analyze", path, "-m", tiny_model, "--json")[1])["notes"]
    assert "do not look like speakers' names" in note
    assert f"Note: {note[:30]}" in call("analyze", path, "-m", tiny_model)[1]


def test_what_can_be_answered_and_written_is_kept(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "talks.jsonl"
    silent = {"id": "silent", "utterances": [{"id": "s"}]}
    path.write_text("".join(json.dumps(c) + "\n" for c in ({**TALK, "id": "a"}, silent, {**TALK, "id": "b"})))
    target = tmp_path / "moods.json"
    code, out, error = call("analyze", path, "-m", tiny_model, "-o", target, "--json")
    assert code == 2
    assert "conversation silent: no utterance has what the model" in one_line(error)
    assert [p["conversation"] for p in json.loads(out)] == ["a", "b"]
    assert json.loads(target.read_text()) == json.loads(out)

    from moodline.core.errors import StorageError
    from moodline.report import write

    def full(*_: object) -> None:
        raise StorageError("could not write a.csv: No space left on device")

    monkeypatch.setitem(write.WRITERS, ".csv", full)
    talks = SAMPLES / "team_meeting.csv"
    code, out, error = call("analyze", talks, "-m", tiny_model, "-o", tmp_path / "a.csv", "-o", tmp_path / "b.json")
    assert code == 2
    assert "No space left" in one_line(error)
    assert "written: " in out
    assert not (tmp_path / "a.csv").exists()
    assert json.loads((tmp_path / "b.json").read_text())["utterances"]


def talk(**changes: Any) -> str:
    return json.dumps({"id": "t", "utterances": [{**TALK["utterances"][0], **changes}]})  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.srt", "", "empty.srt"),
        ("empty.json", "", "empty.json"),
        ("blank.csv", " \n\n", "blank.csv"),
        ("none.json", '{"id": "t", "utterances": []}', "no utterances"),
        ("broken.json", '{"id": ', "broken.json"),
        ("list.json", "[1, 2]", "list.json"),
        ("noise.srt", bytes(range(1, 256)), "UTF-8"),
        ("latin.json", b'{"id": "caf\xe9"}', "expected an object"),
        ("twice.json", json.dumps({"id": "t", "utterances": [{"id": "a", "text": "x"}] * 2}), "ids must be unique"),
        ("times.json", talk(start=3, end=1), "end must not be before start"),
        ("times.srt", "1\n00:00:05,000 --> 00:00:02,000\nhello\n", "end must not be before start"),
        ("negative.json", talk(start=-1.0), "start must not be negative"),
        ("nan.json", talk().replace("1.5", "NaN"), "nan"),
        ("words.json", talk(text="  "), "empty"),
        ("type.json", talk(text=3), "text must be a string"),
        ("field.json", talk(mood="x"), "unknown field 'mood'"),
        ("talk.pdf", "x", "talk.pdf"),
        (
            "nothing.json",
            json.dumps({"id": "t", "utterances": [{"id": "a", "audio": "a.wav"}]}),
            "no utterance has what",
        ),
    ],
)
def test_bad_transcripts(name: str, content: str | bytes, expected: str, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(tmp_path, expected, "analyze", tmp_path / name, "-m", tiny_model, "-o", tmp_path / "out.json")


def test_bad_places(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(TALK))
    refused(tmp_path, "nowhere.srt", "analyze", tmp_path / "nowhere.srt", "-m", tiny_model)
    refused(tmp_path, str(tmp_path), "analyze", tmp_path, "-m", tiny_model)
    go = ("analyze", path, "-m", tmp_path / "no-model-is-loaded-before-this-is-found", "-o")
    refused(tmp_path, "unknown kind of output (found: '.xlsx')", *go, tmp_path / "out.xlsx")
    refused(tmp_path, "unknown kind of output (found: no suffix)", *go, tmp_path / "out")
    refused(tmp_path, "does not exist", *go, tmp_path / "nowhere" / "out.json")
    refused(tmp_path, "would replace the transcript", *go, path)
    (tmp_path / "folder.json").mkdir()
    refused(tmp_path, "expected a file to write to", *go, tmp_path / "folder.json")
    untimed = tmp_path / "talk.txt"
    untimed.write_text("Ada: hooray, we won\n")
    refused(
        tmp_path, "subtitles need turns with a start", "analyze", untimed, "-m", tiny_model, "-o", tmp_path / "o.srt"
    )


@pytest.mark.parametrize("place", ["/proc/moods.json", "/proc/nowhere/moods.json"])
def test_a_place_that_cannot_be_written(place: str, tiny_model: Path, tmp_path: Path) -> None:
    if not Path("/proc").is_dir():
        pytest.skip("no /proc here")
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(TALK))
    refused(tmp_path, place, "analyze", path, "-m", tmp_path / "no-model-is-loaded-before-this-is-found", "-o", place)


def test_bad_models(tiny_model: Path, tmp_path: Path) -> None:
    talk_file = tmp_path / "talk.json"
    talk_file.write_text(json.dumps(TALK))
    refused(tmp_path, "Did you mean meld-text?", "analyze", talk_file, "-m", "meldtext")
    refused(tmp_path, "no model at", "analyze", talk_file, "-m", tmp_path / "nowhere")
    refused(tmp_path, "device 'banana' cannot be used", "analyze", talk_file, "-m", tiny_model, "--device", "banana")
    for name, damage in (
        ("cut", lambda p: p.write_bytes(p.read_bytes()[:5000])),
        ("pickle", lambda p: p.write_bytes(pickle.dumps({"weights": 1}))),
    ):
        folder = Path(shutil.copytree(tiny_model, tmp_path / name, ignore=shutil.ignore_patterns("training")))
        damage(folder / "model.safetensors")
        refused(tmp_path, "truncated or not safetensors", "analyze", talk_file, "-m", folder)
    folder = Path(shutil.copytree(tiny_model, tmp_path / "labels", ignore=shutil.ignore_patterns("training")))
    (folder / "labels.json").write_text(json.dumps({"name": "x", "labels": ["a", "b", "c", "d"]}))
    refused(tmp_path, "labels.json: expected the labels", "analyze", talk_file, "-m", folder)


# -- corpora and recipes ----------------------------------------------------------------------------------------


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def with_value(value: float) -> Callable[[Path], None]:
    def damage(corpus: Path) -> None:
        ids = json.loads((corpus / "features" / "tones.json").read_text())["ids"]
        write_features(corpus, "tones", {i: np.full(6, value if n == 7 else 0.5) for n, i in enumerate(ids)})

    return damage


def fewer_ids(corpus: Path) -> None:
    ids = json.loads((corpus / "features" / "tones.json").read_text())["ids"]
    (corpus / "features" / "tones.json").write_text(json.dumps({"ids": ids[1:]}))


BAD_CORPORA: dict[str, tuple[Callable[[Path], object], str]] = {
    "unknown label": (lambda c: replaced(c / "train.jsonl", '"joy"', '"jov"'), "unknown label 'jov'"),
    "utterance twice": (lambda c: replaced(c / "dev.jsonl", '"dev-1-0"', '"dev-0-0"'), "must be unique"),
    "conversation twice": (lambda c: replaced(c / "dev.jsonl", '"id": "dev-1",', '"id": "dev-0",'), "must be unique"),
    "times": (lambda c: replaced(c / "dev.jsonl", '"speaker": "Ben",', '"start": 2, "end": 1,'), "before start"),
    "empty words": (lambda c: replaced(c / "dev.jsonl", '"text": "', '"text": " ", "emotion": "'), "text is empty"),
    "latin-1": (lambda c: (c / "dev.jsonl").write_bytes(b'{"id": "caf\xe9"}'), "not UTF-8"),
    "broken": (lambda c: (c / "dev.jsonl").write_text('{"id": "a"'), "not JSON"),
    "empty file": (lambda c: (c / "train.jsonl").write_text(""), "holds no conversations"),
    "nan": (with_value(float("nan")), "features must be finite"),
    "infinite": (with_value(float("inf")), "features must be finite"),
    "count": (fewer_ids, "expected as many entries as ids"),
    "other ids": (lambda c: replaced(c / "features" / "tones.json", "dev-0-0", "dex-0-0"), "no utterance of the"),
    "cut features": (lambda c: (c / "features" / "tones.safetensors").write_bytes(b"\x08"), "tones.safetensors"),
    "one label": (lambda c: (c / "labels.json").write_text('{"labels": ["joy"]}'), "two distinct labels"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_CORPORA)
def test_bad_corpora(kind: str, house: Path, tmp_path: Path) -> None:
    """Inspecting and training say the same; training leaves no run behind."""
    damage, expected = BAD_CORPORA[kind]
    corpus = Path(shutil.copytree(house, tmp_path / "corpus"))
    damage(corpus)
    path = write_recipe(tmp_path / "tiny.yaml", FEATURES)
    refused(tmp_path, expected, "inspect", "house", corpus)
    refused(tmp_path, expected, "train", path, "--data", corpus, "--out", tmp_path / "run")


def test_wrong_folders(house: Path, tmp_path: Path) -> None:
    refused(tmp_path, "unknown corpus 'melt'. Did you mean meld", "inspect", "melt", tmp_path)
    refused(tmp_path, "there is no folder", "inspect", "meld", tmp_path / "nowhere")
    refused(tmp_path, "train_sent_emo.csv", "inspect", "meld", tmp_path)
    refused(tmp_path, "labels", "inspect", "meld", house)
    refused(tmp_path, "--option expects KEY=VALUE", "inspect", "house", house, "--option", "labels")
    refused(tmp_path, "not valid YAML", "inspect", "house", house, "--option", "labels=[")
    refused(tmp_path, "unknown option 'lables'", "inspect", "house", house, "--option", "lables=x")
    refused(tmp_path, "not a run", "evaluate", tmp_path, "--data", house)
    refused(tmp_path, "not a run", "evaluate", tmp_path / "nowhere", "--data", house)
    refused(tmp_path, "no predictions.parquet", "compare", tmp_path, tmp_path)
    refused(tmp_path, "no results.json", "results", tmp_path / "nowhere")


class Harmful:
    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> Any:
        return (Path.touch, (self.flag,))


@pytest.mark.parametrize("arguments", [("inspect", "iemocap"), ("inspect", "meld"), ("inspect", "mosi"), ("convert",)])
def test_a_hostile_pickle_is_not_executed(arguments: tuple[str, ...], tmp_path: Path) -> None:
    folder, flag = tmp_path / "corpus", tmp_path / "executed"
    folder.mkdir()
    (folder / "IEMOCAP_features.pkl").write_bytes(pickle.dumps([{}, Harmful(flag)]))
    target = (folder / "IEMOCAP_features.pkl", tmp_path / "out") if arguments == ("convert",) else (folder,)
    refused(tmp_path, "pickle", *arguments, *target)
    assert not flag.exists()


def test_bad_recipes(house: Path, tmp_path: Path) -> None:
    def say(expected: str, content: str | bytes | dict[str, Any], *more: object) -> None:
        path = tmp_path / "mine.yaml"
        if isinstance(content, dict):
            write_recipe(path, content)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        refused(tmp_path, expected, "train", path, "--data", house, "--out", tmp_path / "run", *more)

    say("broken YAML", "a: [1")
    say("expected UTF-8", b"\xff")
    say("unknown key modell", {**TEXT, "modell": 1})
    say("unknown key model.hiden (did you mean hidden?)", {**TEXT, "model": {"name": "mister-e", "hiden": 1}})
    say("unknown key training.epochz", TEXT, "--set", "training.epochz=3")
    say("expects features of size 9", {**FEATURES, "modalities": {"speech": {"features": "tones", "dim": 9}}})
    say("brings no feature set 'bones'", {**FEATURES, "modalities": {"speech": {"features": "bones"}}})
    say("no utterance of house has it", {**FEATURES, "modalities": {"speech": {"encoder": {"name": "moonshine-tiny"}}}})
    refused(tmp_path, "or mister-e/meld-minilm", "train", "meld-minilm", "--data", house)
    refused(tmp_path, "no such recipe file", "train", tmp_path / "no.yaml", "--data", house)


def test_out_is_a_file_or_of_another_run(house: Path, text_run: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "tiny.yaml", FEATURES)
    (tmp_path / "file").write_text("mine")
    refused(tmp_path, "could not write", "train", path, "--data", house, "--out", tmp_path / "file")
    refused(text_run, "another recipe or other settings", "train", path, "--data", house, "--out", text_run)


def test_a_corpus_that_changed_is_not_evaluated(house: Path, text_run: Path, tmp_path: Path) -> None:
    corpus = Path(shutil.copytree(house, tmp_path / "corpus"))
    replaced(corpus / "test.jsonl", "Ben", "Bea")
    refused(text_run, "not the corpus files that this run was trained on", "evaluate", text_run, "--data", corpus)


# -- the machine ------------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.argv = ["moodline", *sys.argv[2:]]
from moodline.__main__ import main
main()
"""


def with_limit(size: int, *arguments: object) -> tuple[int, str, str]:
    """Run in a process whose files cannot grow beyond ``size``, as on a disk that is full."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.process
def test_disk_full_while_encoding(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that could be taken for a store or a run is left; with space again, the same command goes on."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("MOODLINE_CACHE", str(cache))
    path = write_recipe(tmp_path / "tiny.yaml", {**TEXT, "training": {**TEXT["training"], "epochs": 1}})
    go = ("train", path, "--data", house, "--out", tmp_path / "run")
    code, out, error = with_limit(4000, *go)
    assert "could not write" in one_line(error)
    assert (code, out) == (2, "")
    assert not (tmp_path / "run").exists()
    assert not [p for p in cache.rglob("meta.json") if ".partial" not in str(p)]
    code, _, error = call(*go, "--quiet")
    assert (code, error) == (0, "")


@pytest.mark.process
def test_disk_full_while_training(house: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "tiny.yaml", FEATURES)
    go = ("train", path, "--data", house, "--out", tmp_path / "run")
    code, out, error = with_limit(8000, *go)
    assert "could not write" in one_line(error)
    assert (code, out) == (2, "")
    assert not list(tmp_path.rglob("*.tmp"))
    assert not (tmp_path / "run" / "seed-0" / "config.json").exists()
    assert call(*go, "--quiet") == (0, "", "")
    assert call("train", path, "--data", house, "--out", tmp_path / "whole", "--quiet") == (0, "", "")
    assert weights_hash(tmp_path / "run") == weights_hash(tmp_path / "whole")


@pytest.mark.process
@pytest.mark.train
def test_control_c(house: Path, tmp_path: Path) -> None:
    endless = {**FEATURES, "training": {**FEATURES["training"], "epochs": 100_000}}
    path = write_recipe(tmp_path / "tiny.yaml", endless)
    with start("train", path, "--data", house, "--out", tmp_path / "run") as process:
        while not (tmp_path / "run" / "seed-0" / "training" / "state.pt").exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert "interrupted; training, encoding and listening go on where they were" in one_line(error)
    assert (process.returncode, out) == (130, "")


@pytest.mark.process
def test_as_a_program_of_its_own(tiny_model: Path, tmp_path: Path) -> None:
    """Through a shell's eyes: no warnings, no progress bars, no stray output of any library."""
    code, out, error = command("analyze", SAMPLES / "family_dinner.json", "--model", tiny_model, "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["labels"] == list(LABELS)
    code, out, error = command("analyze", tmp_path / "nowhere.srt")
    assert (code, out) == (2, "")
    assert "nowhere.srt" in one_line(error)


def test_the_number_of_threads(tiny_model: Path) -> None:
    before = torch.get_num_threads()
    sample = SAMPLES / "family_dinner.json"
    try:
        code, _, error = call("analyze", sample, "--model", tiny_model, "--threads", before + 1, "--quiet")
        assert (code, error, torch.get_num_threads()) == (0, "", before + 1)
        code, _, error = call("evaluate", "nowhere", "--data", "nowhere", "--threads", before + 2)
        assert (code, torch.get_num_threads()) == (2, before + 2)
        for command_ in ("analyze", "train", "evaluate", "search", "experiment", "finetune", "encode"):
            assert "--threads" in call(command_, "--help")[1]
        code, _, error = call("analyze", sample, "--threads", 0)
        assert code == 2
        assert "--threads" in error
    finally:
        torch.set_num_threads(before)


def test_a_closed_or_full_standard_output() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    program = f"{sys.executable} -m moodline recipes --json"
    done = subprocess.run(f"{program} > /dev/full", shell=True, capture_output=True, text=True, check=False)
    assert "No space left" in one_line(done.stderr)
    assert done.returncode == 2
    done = subprocess.run(f"{program} | true", shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""
