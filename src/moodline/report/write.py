"""Predictions written to a file of the kind that its suffix names, from JSON to the HTML report."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from moodline.core.conversation import Utterance, some_ids
from moodline.core.errors import ConfigError, ConversationError
from moodline.core.files import check_output_path, replacing
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.presentation import Presentation, presentation_of, rounded
from moodline.transcripts.speaker_names import plausible


def check_output(path: Path) -> None:
    """Raise unless a prediction could be written to ``path``; call it before any work is done.

    Raises:
        ConfigError: an unknown suffix, a folder that does not exist, or ``path`` is a folder itself.
        StorageError: the folder, or the file that is there, cannot be written to.
    """
    path = Path(path)
    if kind_of(path) not in WRITERS:
        raise ConfigError(
            f"{path}: unknown kind of output",
            f"'{path.suffix}'" if path.suffix else "no suffix",
            f"Name a file that ends in one of: {', '.join(WRITERS)}.",
        )
    check_output_path(path)


def kind_of(path: Path) -> str:
    """What a file is, by its name: one of ``WRITERS``, or another suffix."""
    name = path.name.lower()
    return next((kind for kind in WRITERS if kind.count(".") > 1 and name.endswith(kind)), path.suffix.lower())


def write_prediction(prediction: list[Prediction], path: Path) -> None:
    """Write predictions in the format that the suffix of ``path`` names, whole or not at all.

    Args:
        prediction: one for each conversation; those of ``TIMED`` hold exactly one, without its turns that lack times
            (see ``left_out``).
        path: a file ending in one of ``WRITERS``; replaced if it exists.

    Raises:
        ConfigError, StorageError: as ``check_output`` does, and when the disk refuses.
        ConversationError: the format needs times but there are none, or there are several conversations.
    """
    path = Path(path)
    check_output(path)
    prediction = _writable(prediction, path)
    with replacing(path) as file:
        WRITERS[kind_of(path)](prediction, file)


def prediction_bytes(prediction: list[Prediction], suffix: str) -> bytes:
    """What ``write_prediction`` would write, for a program that sends it.

    Args:
        prediction: see ``write_prediction``.
        suffix: one of ``WRITERS``.

    Raises:
        ConversationError: see ``write_prediction``.
    """
    out = io.BytesIO()
    WRITERS[suffix](_writable(prediction, Path(f"answer{suffix}")), out)
    return out.getvalue()


def _writable(prediction: list[Prediction], path: Path) -> list[Prediction]:
    """What a file of this kind can hold of the predictions; raises where that is nothing."""
    check_times(path, [p.utterances for p in prediction])
    if kind_of(path) not in TIMED:
        return prediction
    return [replace(p, utterances=tuple(u for u in p.utterances if _timed(u))) for p in prediction]


def check_times(path: Path, conversations: Sequence[Iterable[Utterance | UtterancePrediction]]) -> None:
    """Raise unless a file of this kind can hold these utterances; call it before any work is done.

    Args:
        path: the file; only kinds in ``TIMED`` and ``PICTURES`` want anything.
        conversations: the utterances of each conversation, recognized or not yet.

    Raises:
        ConversationError: several conversations, or no utterance with start and end.
    """
    suffix = kind_of(Path(path))
    if suffix in TIMED:
        check_subtitles(conversations, TIMED[suffix])
    if suffix == ".txt" and len(conversations) != 1:
        raise ConversationError("text holds one conversation", len(conversations), "Write .json or .csv.")
    if suffix in PICTURES and (len(conversations) != 1 or not any(True for _ in conversations[0])):
        raise ConversationError(
            "pictures show one conversation",
            f"{len(conversations)} conversations" if len(conversations) != 1 else "no utterance",
            "Write .html, .json or .csv.",
        )


def left_out(path: Path, prediction: Sequence[Prediction]) -> str | None:
    """What a file of this kind does not hold of the predictions, in one sentence; None if it holds everything."""
    if (name := TIMED.get(kind_of(Path(path)))) is None:
        return None
    turns = [u for p in prediction for u in p.utterances]
    missing = [u.id for u in turns if not _timed(u)]
    if not missing:
        return None
    count = f"{len(missing)} of {len(turns)}"
    return f"{name[0].upper()}{name[1:]} hold turns with times only: {count} left out, {some_ids(missing)}."


def prediction_rows(prediction: list[Prediction]) -> list[dict[str, Any]]:
    """One flat row for every utterance, the form of CSV and Parquet.

    Columns: conversation, id, speaker, start, end, text, emotion, confidence, abstained, then ``probability_<label>``
    for each label in the model's order, ``voice`` and ``words``, filled in where they contradict each other, if the
    model reads both, ``weight_<expert>`` for each expert and, where the model has it,
    ``uncertainty_<modality>`` and ``guide_<part>``; numbers to four decimals, times to three. Of a regression,
    ``value, value_low, value_high`` and ``value_<expert>`` in place of emotion, confidence, abstained and the
    probabilities.
    """
    labels = list(dict.fromkeys(label for p in prediction for label in p.labels))
    experts = list(dict.fromkeys(expert for p in prediction for u in p.utterances for expert in u.weights))
    unsure = list(dict.fromkeys(m for p in prediction for u in p.utterances for m in u.uncertainty))
    both = ("voice", "words") if {"speech", "text"} <= set(experts) else ()
    guides = list(dict.fromkeys(name for p in prediction for u in p.utterances for name in u.guides))
    return [
        {
            "conversation": p.conversation,
            "id": u.id,
            "speaker": u.speaker,
            "start": rounded(u.start, 3),
            "end": rounded(u.end, 3),
            "text": u.text,
            **shown.row(u, labels, experts),
            **{name: u.contradiction.get(name) for name in both},
            **{f"weight_{expert}": rounded(u.weights.get(expert), 4) for expert in experts},
            **{f"uncertainty_{m}": rounded(u.uncertainty.get(m), 4) for m in unsure},
            **{f"guide_{name}": rounded(u.guides.get(name), 4) for name in guides},
        }
        for p in prediction
        for shown in (presentation_of(p),)
        for u in p.utterances
    ]


def _encode(text: str) -> bytes:
    """UTF-8; half a character (a lone surrogate, which JSON input can carry) becomes ``?``."""
    return text.encode("utf-8", "replace")


def _json(prediction: list[Prediction], file: BinaryIO) -> None:
    data = [p.to_dict() for p in prediction]
    file.write(_encode(json.dumps(data[0] if len(data) == 1 else data, ensure_ascii=False, indent=2) + "\n"))


def _jsonl(prediction: list[Prediction], file: BinaryIO) -> None:
    for p in prediction:  # one conversation a line, as in the house format
        file.write(_encode(json.dumps(p.to_dict(), ensure_ascii=False) + "\n"))


def _csv(prediction: list[Prediction], file: BinaryIO) -> None:
    rows = prediction_rows(prediction)
    out = io.StringIO(newline="")
    if rows:
        writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: spreadsheet_cell(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows)
    file.write(_encode(out.getvalue()))


def spreadsheet_cell(cell: str) -> str:
    """A cell of CSV: an apostrophe stands before what a spreadsheet would run as a formula.

    ``transcripts/table.py`` removes it again.
    """
    return "'" + cell if cell.lstrip()[:1] in ("=", "+", "-", "@") else cell


def _parquet(prediction: list[Prediction], file: BinaryIO) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = prediction_rows(prediction)
    kinds = {"start": pa.float64(), "end": pa.float64(), "confidence": pa.float64(), "abstained": pa.bool_()}
    names = list(rows[0]) if rows else []
    text = ("conversation", "id", "speaker", "text", "emotion", "voice", "words")
    schema = pa.schema(
        [(name, pa.string() if name in text else kinds.get(name, pa.float64())) for name in names],
        metadata={
            "moodline.model": ", ".join(dict.fromkeys(p.model for p in prediction)),
            "moodline.version": ", ".join(dict.fromkeys(p.version for p in prediction)),
        },
    )
    rows = [{k: _encode(v).decode() if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    parquet.write_table(pa.Table.from_pylist(rows, schema), file)


def _srt(prediction: list[Prediction], file: BinaryIO) -> None:
    cues = _cues(prediction, ",")
    file.write(_encode("\n".join(f"{n}\n{times}\n{text}\n" for n, (times, text) in enumerate(cues, start=1))))


def _vtt(prediction: list[Prediction], file: BinaryIO) -> None:
    cues = [f"{times}\n{html.escape(text, quote=False)}\n" for times, text in _cues(prediction, ".")]
    note = f"NOTE Moodline {prediction[0].version}, model {' '.join(prediction[0].model.split())}\n".replace("-->", "→")
    file.write(_encode("\n".join(["WEBVTT\n", note, *cues])))


def _cues(prediction: list[Prediction], decimal: str) -> list[tuple[str, str]]:
    """Timing line and words of every cue: ``[joy 0.81] Speaker: text``, with ``?`` behind the emotion if abstained.

    Of a regression: ``[+1.20] Speaker: text``.
    """
    shown = presentation_of(prediction[0])
    return [
        (f"{_clock(u.start or 0.0, decimal)} --> {_clock(u.end or 0.0, decimal)}", _caption(u, shown))
        for u in prediction[0].utterances
    ]


def check_subtitles(
    conversations: Sequence[Iterable[Utterance | UtterancePrediction]], name: str = "subtitles"
) -> None:
    """Raise unless subtitles can hold something of these utterances: one conversation, some of it with times.

    Args:
        conversations: the utterances of each conversation, recognized or not yet.
        name: what holds them, for the message.

    Raises:
        ConversationError: several conversations, or no utterance with start and end.
    """
    if len(conversations) != 1:
        raise ConversationError(
            f"{name} hold one conversation",
            f"{len(conversations)} conversations",
            "Write .json, .jsonl, .csv or .parquet.",
        )
    if not any(map(_timed, conversations[0])):
        raise ConversationError(
            f"{name} need turns with a start and an end: none has both",
            fix="Write .json or .csv instead, or pass a transcript with times.",
        )


def _timed(u: Utterance | UtterancePrediction) -> bool:
    return u.start is not None and u.end is not None


def _caption(u: UtterancePrediction, shown: Presentation) -> str:
    text = " ".join((u.text or "…").split())
    if u.speaker:
        name = " ".join(u.speaker.split())
        text = f"{name if plausible(name) else f'[{name}]'}: {text}"
    return f"[{shown.caption(u)}] {text}".replace("-->", "→")


def _clock(seconds: float, decimal: str) -> str:
    """``HH:MM:SS.mmm``, with the given decimal sign."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{decimal}{thousandths:03d}"


def _rttm(prediction: list[Prediction], file: BinaryIO) -> None:
    """Who speaks when: the emotion as subtype and its confidence, in the fields that RTTM has for such things."""
    (p,) = prediction
    shown = presentation_of(p)
    name = _token(p.conversation)
    for u in p.utterances:
        start, end = u.start or 0.0, u.end or 0.0
        answer, _, sure = shown.caption(u).rpartition(" ")
        fields = ("SPEAKER", name, "1", f"{start:.3f}", f"{end - start:.3f}", "<NA>", _token(answer or sure),
                  _token(u.speaker or ""), sure if answer else "<NA>", "<NA>")  # fmt: skip
        file.write(_encode(" ".join(fields) + "\n"))


def _token(text: str) -> str:
    """A text without spaces, for a field of RTTM."""
    return "_".join(text.split()) or "<NA>"


def _textgrid(prediction: list[Prediction], file: BinaryIO) -> None:
    from moodline.report.textgrid import write_textgrid

    write_textgrid(prediction, file)


def _eaf(prediction: list[Prediction], file: BinaryIO) -> None:
    from moodline.report.eaf import write_eaf

    write_eaf(prediction, file)


def _exb(prediction: list[Prediction], file: BinaryIO) -> None:
    from moodline.report.exmaralda import write_exb

    write_exb(prediction, file)


def _paragraphs(prediction: list[Prediction], file: BinaryIO) -> None:
    from moodline.report.qualitative import write_paragraphs

    write_paragraphs(prediction, file)


def _tasks(prediction: list[Prediction], file: BinaryIO) -> None:
    from moodline.report.qualitative import write_tasks

    write_tasks(prediction, file)


def _html(prediction: list[Prediction], file: BinaryIO) -> None:
    from moodline.report.html import write_html

    write_html(prediction, file)


def _picture(suffix: str) -> Callable[[list[Prediction], BinaryIO], None]:
    def write(prediction: list[Prediction], file: BinaryIO) -> None:
        from moodline.report.mood_plot import write_mood_plot

        write_mood_plot(prediction, file, suffix)

    return write


WRITERS: dict[str, Callable[[list[Prediction], BinaryIO], None]] = {
    ".json": _json,
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
    ".srt": _srt,
    ".vtt": _vtt,
    ".rttm": _rttm,
    ".textgrid": _textgrid,
    ".eaf": _eaf,
    ".exb": _exb,
    ".txt": _paragraphs,
    ".labelstudio.json": _tasks,
    ".html": _html,
    ".svg": _picture(".svg"),
    ".png": _picture(".png"),
}
"""Suffix (in small letters) to writer."""

TIMED = {
    ".srt": "subtitles",
    ".vtt": "subtitles",
    ".rttm": "RTTM files",
    ".textgrid": "TextGrids",
    ".eaf": "ELAN files",
    ".exb": "EXMARaLDA files",
}
"""Suffixes of files that hold one conversation, its utterances with times only, and what these files are called."""

PICTURES = (".svg", ".png")
"""Suffixes of files that show one conversation, with or without times."""
