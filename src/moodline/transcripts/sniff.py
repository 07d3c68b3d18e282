"""Which format a text is in, by what stands in it: for files without a suffix, and for standard input."""

from __future__ import annotations

import json
import re

_FIRST_XML = re.compile(r"<(?:\?xml|!--|!DOCTYPE|[A-Za-z])")
_ROOTS = (
    (re.compile(r"<ANNOTATION_DOCUMENT[\s>]"), "eaf"),
    (re.compile(r"<basic-transcription[\s>]"), "exb"),
    (re.compile(r"<(?:\w+:)?tt[\s>]"), "ttml"),
)
_RTTM = re.compile(r"(?:SPEAKER|SPKR-INFO)\s+\S.*<NA>", re.IGNORECASE)
_SRT = re.compile(r"\s*\d+\s*\n\s*\d{1,2}:\d{2}:\d{2}[,.]\d{1,3}\s*-->", re.ASCII)
_SBV = re.compile(r"\d{1,2}:\d{2}:\d{2}\.\d{1,3},\d{1,2}:\d{2}:\d{2}\.\d{1,3}\s*$", re.MULTILINE)
_LRC = re.compile(
    r"(?:\[(?:ar|ti|al|by|offset|length|re|ve|la):[^\]]*\]\s*)|\[\d{1,3}:\d{2}\.\d{2,3}\][^\[\n]*\n\[\d{1,3}:\d{2}\.\d"
)
_NUMBER = r"\d+(?:\.\d+)?"
_STM = re.compile(rf"[^\s;]+[ \t]+\S+[ \t]+\S+[ \t]+{_NUMBER}[ \t]+{_NUMBER}[ \t]+<[^<>\n]*>", re.ASCII)
_CTM = re.compile(
    rf"[^\s;]+[ \t]+[0-9A-Z][ \t]+{_NUMBER}[ \t]+{_NUMBER}[ \t]+\S+(?:[ \t]+[01]?\.\d+)?[ \t]*$", re.ASCII
)


def sniff(text: str) -> str:
    """The format of a text, as ``FORMATS`` names it; ``txt`` where nothing speaks for another.

    Args:
        text: all of it.
    """
    head = text[:20_000].lstrip("\ufeff \t\n")
    lines = [line for line in head.split("\n") if line.strip()]
    first = lines[0].strip() if lines else ""
    if first.startswith("WEBVTT"):
        return "vtt"
    if first.startswith(("@UTF8", "@Begin", "@Font:", "@Languages:", "@PID:")):
        return "cha"
    if first.startswith(('File type = "ooTextFile"', '"ooTextFile"', '"Praat chronological')):
        return "textgrid"
    if first.startswith(("[Script Info]", "[V4")):
        return "ass"
    if _FIRST_XML.match(head):
        found = next((name for root, name in _ROOTS if root.search(head)), None)
        if found is not None:
            return found
    if first[0:1] in ("{", "["):
        found = _json(text, first)
        if found is not None:
            return found
    if _SRT.match(head):
        return "srt"
    if _SBV.match(first):
        return "sbv"
    if _LRC.match(head):
        return "lrc"
    records = [line for line in lines if not line.startswith((";", "#"))][:20]
    for pattern, name in ((_RTTM, "rttm"), (_STM, "stm"), (_CTM, "ctm")):
        if records and all(pattern.match(line) for line in records):
            return name
    return _table(lines) or "txt"


def _json(text: str, first: str) -> str | None:
    """JSON, lines of JSON, or oTranscribe's; None if it is neither."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        try:
            json.loads(first)
        except (ValueError, RecursionError):
            return "json" if first[0] == "{" or re.match(r"\[\s*(?:$|[{\"])", first) else None
        return "jsonl"
    if isinstance(data, dict) and isinstance(data.get("text"), str) and "data-timestamp" in data["text"]:
        return "otr"
    return "json" if isinstance(data, dict) or (isinstance(data, list) and data) else None


def _table(lines: list[str]) -> str | None:
    """A table with a heading that names its words."""
    if len(lines) < 2:
        return None
    for separator, name in (("\t", "tsv"), (",", "csv"), (";", "csv")):
        heads = [cell.strip().strip('"').lower() for cell in lines[0].split(separator)]
        if len(heads) > 1 and {"text", "utterance", "transcript", "words"} & set(heads):
            return name
    return None
