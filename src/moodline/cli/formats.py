"""``moodline formats``: which files are read and written."""

from __future__ import annotations

from typing import Any

from moodline.cli.console import print_json, print_table

READ: dict[str, str] = {
    "json": "Moodline's conversations and results; Whisper, whisperX, whisper.cpp, transformers; "
    "AssemblyAI, Amazon Transcribe, Azure, Deepgram, ElevenLabs, Fireflies, Gladia, Google, Rev, Speechmatics, Watson, "
    "FunASR, lhotse, NeMo, Vosk, Teams, YouTube, podcasts; chats; other JSON by the names of its fields",
    "jsonl": "The same, one conversation, segment or message a line",
    "srt": "SubRip subtitles",
    "vtt": "WebVTT subtitles; Teams, Zoom, Webex",
    "csv": "Tables, columns told by their names or cells",
    "tsv": "Tables with tabs",
    "txt": "Plain text, one utterance a line or a name above the words, with times or without; f4, MOSS, Otter, Teams, "
    "Markdown, tab-delimited exports",
    "textgrid": "Praat's TextGrids",
    "eaf": "ELAN's annotation files",
    "exb": "EXMARaLDA's basic transcriptions",
    "cha": "CHAT transcripts (CHILDES, TalkBank)",
    "rttm": "Diarizations: who speaks when, no words",
    "ctm": "NIST's words with times",
    "stm": "NIST's segments with speakers",
    "sbv": "YouTube's subtitles",
    "ass": "SubStation subtitles",
    "ssa": "SubStation subtitles, older",
    "ttml": "TTML subtitles",
    "dfxp": "TTML subtitles under another name",
    "lrc": "Lyrics with times",
    "otr": "oTranscribe's transcripts",
    "docx": "Word documents: interviews, exports of Word, Otter, Rev",
    "audacity": "Audacity's label tracks (.txt; told by their look, or --format audacity)",
}
"""Format of ``transcripts.read.FORMATS`` to what it is."""

WRITTEN: dict[str, str] = {
    "json": "The whole result",
    "jsonl": "The whole result, one conversation a line",
    "csv": "A table, one utterance a row",
    "parquet": "A table for programs",
    "srt": "Subtitles with the emotion in front",
    "vtt": "Subtitles with the emotion in front",
    "rttm": "Who speaks when, with the emotion",
    "textgrid": "Tiers for Praat",
    "eaf": "Tiers for ELAN",
    "exb": "Tiers for EXMARaLDA",
    "txt": "Paragraphs with time marks for MAXQDA, ATLAS.ti, NVivo and f4",
    "labelstudio.json": "Tasks of Label Studio with predictions",
    "html": "A page with plots and search",
    "svg": "A picture",
    "png": "A picture",
}
"""Suffix of ``report.write.WRITERS`` to what the file is."""


def formats() -> list[dict[str, Any]]:
    """One object for each format: name, read, written, what it is, and what a written file holds."""
    from moodline.media.kinds import RECORDINGS
    from moodline.report.write import WRITERS
    from moodline.transcripts.read import FORMATS

    written = [suffix.removeprefix(".") for suffix in WRITERS]
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": "transcript" if name in FORMATS else "result",
            "read": name in FORMATS,
            "written": name in written,
            "description": READ.get(name, ""),
            "result": WRITTEN.get(name, "") if name in written else "",
        }
        for name in dict.fromkeys((*FORMATS, *written))
    ]
    sound = [suffix.removeprefix(".") for suffix in sorted(RECORDINGS)]
    return rows + [
        {"name": name, "kind": "recording", "read": True, "written": False, "description": "", "result": ""}
        for name in sound
    ]


def run_formats(json_: bool) -> None:
    """Print the formats, as a table or as a list of objects."""
    rows = formats()
    if json_:
        print_json(rows)
        return
    cells = [
        (r["name"], "yes" if r["read"] else "no", "yes" if r["written"] else "no", r["description"] or r["result"])
        for r in rows
        if r["kind"] != "recording"
    ]
    sound = ", ".join(r["name"] for r in rows if r["kind"] == "recording")
    cells.append(("recordings", "yes", "no", f"Whatever libsndfile or FFmpeg opens: {sound}"))
    print_table("formats", ("name", "read", "written", "description"), cells, whole=("name",))
