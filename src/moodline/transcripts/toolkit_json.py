"""JSON of toolkits of speech: lhotse, NeMo, FunASR, Kaldi and Vosk; each layout is one function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from moodline.transcripts.json_fields import first, lasting, objects, segment, voices, word
from moodline.transcripts.words import turns

Segments = Iterable[dict[str, Any]]

_TOKEN = re.compile(r"[a-zA-Z0-9À-ɏ']+|[^\W_]")


def _lhotse(data: Any, place: str) -> Segments | None:
    """lhotse's supervisions, alone or in cuts: ``[{"recording_id", "start", "duration", "speaker", "text"}]``."""
    alone = isinstance(data, dict) and "recording_id" in data
    rows = [data] if alone else objects(data)
    if rows is None:
        return None
    found: list[tuple[float, dict[str, Any]]] = []
    for r in rows:
        if "supervisions" in r and "duration" in r:
            base = r["start"] if isinstance(r.get("start"), int | float) else 0.0
            found += [(base, s) for s in objects(r, "supervisions") or []]
        elif "recording_id" in r and "duration" in r and "start" in r:
            found.append((0.0, r))
        else:
            return None
    many = len({str(s.get("recording_id")) for _, s in found}) > 1
    named = voices([s for _, s in found])
    starts = [base + s["start"] if isinstance(s.get("start"), int | float) else None for base, s in found]
    return [
        lasting(s.get("text"), who, start, s.get("duration"))
        | ({"conversation": str(s.get("recording_id"))} if many else {})
        for (_, s), who, start in zip(found, named, starts, strict=True)
    ]


def _nemo_manifest(data: Any, place: str) -> Segments | None:
    """NeMo's manifests: ``{"audio_filepath", "offset", "duration", "text", "speaker"}`` a line."""
    rows = objects(data)
    if rows is None or not all("audio_filepath" in r and ("text" in r or "pred_text" in r) for r in rows):
        return None
    many = len({str(r["audio_filepath"]) for r in rows}) > 1
    files = len({str(r["audio_filepath"]) for r in rows})
    whole = many and files == len(rows)  # each utterance is a file of its own
    return (
        lasting(
            first(r, "text", "pred_text"),
            first(r, "speaker", "speaker_id", "label"),
            None if whole else r.get("offset", 0.0),
            None if whole else r.get("duration"),
        )
        | ({"conversation": str(r["audio_filepath"])} if many and not whole else {})
        for r in rows
    )


def _funasr(data: Any, place: str) -> Segments | None:
    """FunASR: ``[{"text", "sentence_info": [{"text", "start", "end", "spk"}]}]``, milliseconds."""
    rows = objects(data) or ([data] if isinstance(data, dict) else None)
    if rows is None or not any(objects(r, "sentence_info") for r in rows):
        return None
    keys = {str(r.get("key")) for r in rows}
    return (
        segment(first(s, "text", "sentence"), s.get("spk"), s.get("start"), s.get("end"), 1e-3)
        | ({"conversation": str(r.get("key"))} if len(keys) > 1 else {})
        for r in rows
        for s in objects(r, "sentence_info") or []
    )


def _kaldi(data: Any, place: str) -> Segments | None:
    """Kaldi's and Vosk's results, one or a list: ``{"result": [{"word", "start", "end"}], "text"}``."""
    rows = objects(data) or ([data] if isinstance(data, dict) else None)
    if rows is None or not any(objects(r, "result") for r in rows):
        return None
    if not all("word" in w and "start" in w for r in rows for w in objects(r, "result") or []):
        return None
    out: list[dict[str, Any]] = []
    for r in rows:
        who = first(r, "speaker", "spk_id", "channel")
        out += turns(
            word(w["word"], first(w, "speaker", "spk_id") or who, w["start"], w.get("end"), place)
            for w in objects(r, "result") or []
        )
    return out


def _kaldi_server(data: Any, place: str) -> Segments | None:
    """Kaldi's server: ``[{"segment-start", "segment-length", "result": {"hypotheses": [{"transcript"}]}}]``."""
    rows = objects(data) or ([data] if isinstance(data, dict) else None)
    if rows is None or not any(objects(r, "result", "hypotheses") for r in rows):
        return None
    out = []
    for r in rows:
        hypotheses = objects(r, "result", "hypotheses") or [{}]
        if r["result"].get("final", True) if isinstance(r.get("result"), dict) else False:
            start, lasts = r.get("segment-start"), r.get("segment-length")
            out.append(lasting(hypotheses[0].get("transcript"), r.get("speaker"), start, lasts))
    return out


def _funasr_words(data: Any, place: str) -> Segments | None:
    """FunASR without sentences: ``[{"text", "timestamp": [[380, 560], …]}]``, milliseconds of each word."""
    rows = objects(data) or ([data] if isinstance(data, dict) else None)
    if rows is None or not all(isinstance(r.get("text"), str) and _pairs(r.get("timestamp")) for r in rows):
        return None
    many = len(rows) > 1 and all("key" in r for r in rows)
    out: list[dict[str, Any]] = []
    for r in rows:
        text, times = r["text"], r["timestamp"]
        found = list(_TOKEN.finditer(text))
        if len(found) == len(times):
            cuts = [m.start() for m in found[1:]] + [len(text)]
            pieces = [text[m.start() : cut] for m, cut in zip(found, cuts, strict=True)]
            words = [
                word(p, None, a, b, place, 1e-3, glued=n > 0 and not pieces[n - 1][-1:].isspace())
                for n, (p, (a, b)) in enumerate(zip(pieces, times, strict=True))
            ]
            said = turns(words)
        else:
            said = [segment(text, None, times[0][0], times[-1][1], 1e-3)]
        out += [row | ({"conversation": str(r["key"])} if many else {}) for row in said]
    return out


def _pairs(value: Any) -> bool:
    """Whether it is a list of pairs of whole numbers."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(p, list) and len(p) == 2 and all(type(x) is int for x in p) for p in value)
    )


TOOLKIT_LAYOUTS: tuple[Callable[[Any, str], Segments | None], ...] = (_lhotse, _nemo_manifest, _funasr)
"""Layouts that no other is mistaken for, to be tried first."""

TOOLKIT_WORDS: tuple[Callable[[Any, str], Segments | None], ...] = (_kaldi, _kaldi_server, _funasr_words)
"""Layouts of single words or hypotheses, to be tried last."""
