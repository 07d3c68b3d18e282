"""The official release tree of IEMOCAP.

Layout: ``Session{1..5}/dialog/EmoEvaluation/*.txt`` (``[start - end]\tUTTERANCE\tlabel\t[v, a, d]``),
``dialog/transcriptions/*.txt`` (``UTTERANCE [start-end]: text``; some lines are malformed),
``dialog/avi/DivX/*.avi``, ``sentences/wav/DIALOGUE/UTTERANCE.wav``. Folders are found whatever their case.
"""

from __future__ import annotations

import re
from pathlib import Path

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CorpusError
from moodline.core.labels import IEMOCAP_6
from moodline.corpora.base import Corpus, Defect
from moodline.corpora.files import children, expected, hashes, read_bytes, subfolder
from moodline.corpora.text import decode, repair_text

CLASSES = {"hap": "happy", "sad": "sad", "neu": "neutral", "ang": "angry", "exc": "excited", "fru": "frustrated"}
_SESSION = re.compile(r"session([1-5])", re.IGNORECASE)
_SCORED = re.compile(r"\[\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*\]\t(\S+)\t(\S+)(?:\t.*)?")
_ID = r"Ses\d\d[FM]_\w+_[FM]\w*\d{3}"
_SPOKEN = re.compile(rf"({_ID})\s*(?:\[[^\]]*\])?\s*:\s*(.*)")


def sessions(directory: Path) -> list[Path]:
    """The ``Session1`` … ``Session5`` folders in ``directory`` or in its ``IEMOCAP_full_release``."""
    for place in (directory, subfolder(directory, "IEMOCAP_full_release")):
        found = [p for p in children(place) if _SESSION.fullmatch(p.name) and p.is_dir()] if place else []
        if found:
            return found
    return []


def read_release(directory: Path, as_happy: set[str]) -> Corpus:
    """Read every dialogue of the release tree, in one split named "all".

    Args:
        directory: the release folder or the one around it.
        as_happy: ids of utterances labelled ``xxx`` to count as happy.

    Returns:
        The corpus with one split; utterances of other than the six classes are left out, the others are in order
        of time. ``audio`` and ``media`` are set where the files are there.

    Raises:
        CorpusError: a session lacks its annotations, or they cannot be read.
    """
    defects: list[Defect] = []
    conversations: list[Conversation] = []
    files: list[Path] = []
    waiting = set(as_happy)
    for session in sessions(directory):
        folder = subfolder(session, "dialog", "EmoEvaluation")
        scored = [p for p in children(folder) if p.suffix.lower() == ".txt"] if folder else []
        if not scored:
            raise expected(
                "iemocap", "dialog/EmoEvaluation/*.txt", session, "Unpack the whole release; the annotations are in it."
            )
        words = subfolder(session, "dialog", "transcriptions")
        texts = {p.stem: p for p in children(words) if p.suffix.lower() == ".txt"} if words else {}
        clips = subfolder(session, "sentences", "wav")
        videos = subfolder(session, "dialog", "avi", "DivX")
        recordings = {p.stem: p for p in children(videos) if p.suffix.lower() == ".avi"} if videos else {}
        for path in scored:
            spoken: dict[str, str] = {}
            if path.stem in texts:
                spoken = _transcript(texts[path.stem], defects)
                files.append(texts[path.stem])
            files.append(path)
            wavs = {p.stem: p for p in children(clips / path.stem)} if clips else {}
            utterances = _utterances(path, spoken, wavs, clips is not None, waiting, defects)
            if utterances:
                conversations.append(Conversation(path.stem, utterances, recordings.get(path.stem)))
    if waiting:
        raise CorpusError(
            f"iemocap: {len(waiting)} listed utterances are not labelled xxx in the release", min(waiting)
        )
    if not conversations:
        raise CorpusError(f"iemocap: no utterance of the six classes under {directory}")
    return Corpus(
        "iemocap", IEMOCAP_6, {"all": tuple(conversations)}, {}, tuple(defects), hashes(directory, files),
        {"layout": "release tree", "dev": "COSMIC's twelve dialogues", "utterance_ids": "of the corpus"},
        speakers="corpus",
    )  # fmt: skip


def _transcript(path: Path, defects: list[Defect]) -> dict[str, str]:
    """Utterance id to text; lines that name no utterance are reported."""
    content, repaired = decode(read_bytes(path))
    if repaired:
        defects.append(Defect("not UTF-8", path.name, "repaired", f"{repaired} lines read as cp1252"))
    out: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        match = _SPOKEN.fullmatch(line.strip())
        if match:
            text, _ = repair_text(match.group(2))
            if match.group(1) in out:
                defects.append(Defect("text given twice", match.group(1), "reported", "the first is kept"))
            elif text:
                out[match.group(1)] = text
        elif line.strip():
            defects.append(Defect("malformed transcript line", f"{path.stem}:{number}", "dropped"))
    return out


def _utterances(
    path: Path,
    spoken: dict[str, str],
    wavs: dict[str, Path],
    with_audio: bool,
    waiting: set[str],
    defects: list[Defect],
) -> tuple[Utterance, ...]:
    """The labelled utterances of one EmoEvaluation file, in order of time.

    ``waiting`` holds the ids that are to count as happy; those found with ``xxx`` are taken out of it.
    """
    out: dict[str, Utterance] = {}
    content, _ = decode(read_bytes(path))
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.startswith("[") or "Ses" not in line:
            continue
        match = _SCORED.fullmatch(line.strip())
        if match is None or not re.fullmatch(_ID, match.group(3)):
            raise CorpusError(
                f"iemocap: {path.name}: line {number} must be [start - end], id, label, [v, a, d]", line[:60],
                "Use the file as its authors published it.",
            )  # fmt: skip
        key, label = match.group(3), match.group(4)
        emotion = CLASSES.get(label)
        if label == "xxx" and key in waiting:
            emotion = "happy"
            waiting.discard(key)
        if emotion is None:
            continue
        if key in out or not key.startswith(path.stem):
            raise CorpusError(f"iemocap: {path.name}: line {number}: {key} occurs twice or in the wrong dialogue")
        start, end = float(match.group(1)), float(match.group(2))
        if end <= start:
            defects.append(Defect("end not after start", key, "repaired", f"{start} - {end}: start kept, end unknown"))
        if key not in spoken:
            defects.append(Defect("no text", key, "reported", "not in the transcript"))
        wav = wavs.get(key)
        if with_audio and (wav is None or wav.stat().st_size == 0):
            defects.append(Defect("unusable clip", key, "dropped", "empty file" if wav else "no such file"))
            wav = None
        speaker = f"{path.stem[:5]}_{key[-4]}"
        out[key] = Utterance(
            key, speaker, start, end if end > start else None, spoken.get(key), audio=wav, emotion=emotion
        )
    return tuple(sorted(out.values(), key=lambda u: (u.start or 0.0, u.id)))
