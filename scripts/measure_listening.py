"""How well listening works: word error rate, diarization error rate, number of speakers, and the test for English.

    python scripts/measure_listening.py --talks DIR      the synthesised conversations, see synthesize_conversations.py
    python scripts/measure_listening.py --clip           the real clip of the package moonshine-voice
    python scripts/measure_listening.py --docs docs/listening.md          puts the tables of results/listening there

Word error rate: edits between all words in order of time, without case and punctuation, over the words said. "By
speaker": the same for each speaker's words alone, speakers matched one to one, so that a word given to the wrong person
is two errors. Diarization error rate: time missed, falsely found or given to the wrong speaker, over the time spoken by
all speakers, in steps of 10 ms; once counting everything and once leaving out 0.25 s around each start and end.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "results" / "listening"
BEGIN, END = "<!-- listening: begin (made by scripts/measure_listening.py) -->", "<!-- listening: end -->"
SPEED_BEGIN, SPEED_END = "<!-- speed: begin (made by scripts/measure_listening.py) -->", "<!-- speed: end -->"
SPEED = ROOT / "benchmarks" / "listen.json"
STEP, COLLAR = 0.01, 0.25

Turn = tuple[str, float, float, str]
"""Speaker, start, end, text."""


def words(text: str) -> list[str]:
    """The words of a text without case and punctuation."""
    return re.sub(r"[^\w' ]+", " ", text.lower().replace("’", "'")).replace("'", "").split()


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """The least number of words to insert, leave out or replace."""
    row = np.arange(len(heard) + 1)
    other = np.array(heard, dtype=object)
    for n, word in enumerate(said, 1):
        best = np.minimum(row[:-1] + (other != word), row[1:] + 1)
        new = np.concatenate([[n], best])
        row = np.minimum.accumulate(new - np.arange(len(new))) + np.arange(len(new))  # insertions
    return int(row[-1])


def activity(turns: Sequence[Turn], names: Sequence[str], count: int) -> np.ndarray:
    """Who speaks in each step: bool [speakers, steps]."""
    out = np.zeros((len(names), count), bool)
    for who, start, end, _ in turns:
        out[names.index(who), round(start / STEP) : round(end / STEP)] = True
    return out


def diarization_error(
    truth: Sequence[Turn], found: Sequence[Turn], collar: float = 0.0
) -> tuple[float, dict[str, str]]:
    """The diarization error rate, and which found speaker stands for which true one."""
    from scipy.optimize import linear_sum_assignment

    count = round(max(t[2] for t in (*truth, *found)) / STEP) + 1
    true_names, found_names = sorted({t[0] for t in truth}), sorted({t[0] for t in found})
    a, b = activity(truth, true_names, count), activity(found, found_names, count)
    counted = np.ones(count, bool)
    for _, start, end, _ in truth if collar else ():
        for edge in (start, end):
            counted[max(0, round((edge - collar) / STEP)) : round((edge + collar) / STEP)] = False
    a, b = a[:, counted], b[:, counted]
    shared = a.astype(np.int64) @ b.astype(np.int64).T
    rows, columns = linear_sum_assignment(-shared)
    right = shared[rows, columns].sum()
    spoken, claimed = a.sum(axis=0), b.sum(axis=0)
    error = np.maximum(spoken, claimed).sum() - right
    pairs = {true_names[r]: found_names[c] for r, c in zip(rows, columns, strict=True)}
    return float(error / max(1, spoken.sum())), pairs


def scores(truth: Sequence[Turn], found: Sequence[Turn]) -> dict[str, float | int]:
    """All figures of one conversation."""
    said = [w for t in sorted(truth, key=lambda t: t[1]) for w in words(t[3])]
    heard = [w for t in sorted(found, key=lambda t: t[1]) for w in words(t[3])]
    error, pairs = diarization_error(truth, found)
    by_speaker = 0
    for who in {t[0] for t in truth}:
        own = [w for t in truth if t[0] == who for w in words(t[3])]
        theirs = [w for t in found if t[0] == pairs.get(who) for w in words(t[3])]
        by_speaker += edits(own, theirs)
    by_speaker += sum(len(words(t[3])) for t in found if t[0] not in pairs.values())
    return {
        "words": len(said),
        "edits": edits(said, heard),
        "edits_by_speaker": by_speaker,
        "seconds": round(sum(t[2] - t[1] for t in truth), 2),
        "der": round(error, 4),
        "der_collar": round(diarization_error(truth, found, COLLAR)[0], 4),
        "speakers": len({t[0] for t in truth}),
        "speakers_found": len({t[0] for t in found}),
    }


def hear(path: Path, speakers: int | None = None) -> tuple[list[Turn], tuple[str, ...]]:
    """What Moodline hears in a recording."""
    from moodline.listen.listen import listen

    heard = listen(path, speakers=speakers)
    rows = [(u.speaker or "", u.start or 0.0, u.end or 0.0, u.text or "") for u in heard.conversation]
    return rows, heard.notes


def measure_talks(folder: Path) -> None:
    """All conversations of a folder, with the number of speakers found and given; the test for English."""
    from moodline.listen.language import evidence

    rows, languages = [], []
    for path in sorted(folder.glob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        truth: list[Turn] = [(t["speaker"], t["start"], t["end"], t["text"]) for t in facts["turns"]]
        sound = path.with_suffix(".wav")
        found, notes = hear(sound)
        proof = evidence(recognized(sound))
        languages.append(
            {
                "id": facts["id"],
                "language": facts["language"],
                "words": proof.words,
                "confidence": None if proof.confidence is None else round(proof.confidence, 3),
                "small": round(proof.small, 3),
                "repeated": round(proof.repeated, 3),
                "foreign": any("not English" in n for n in notes),
            }
        )
        if facts["language"] != "en":
            continue
        number = len({t[0] for t in truth})
        given, _ = hear(sound, number)
        rows.append({"id": facts["id"], "found": scores(truth, found), "given": scores(truth, given)})
        print(facts["id"], rows[-1]["found"])
    write("synthesised", {"conversations": rows})
    write("language", {"recordings": languages})


def recognized(sound: Path) -> list[Any]:
    """The chunks that were recognized last, from what listening keeps."""
    from moodline.listen.base import Chunk, Span
    from moodline.listen.listen import recording_folder
    from moodline.listen.transcriber import read_log

    out = []
    for log in recording_folder(sound).glob("words-*.jsonl"):
        rows = read_log(log).items()
        out += [Chunk(Span(a / 16_000, b / 16_000), None, heard) for (a, b), heard in rows]
    return out


def measure_clip() -> None:
    """The two speakers of the real clip; see ``tests/listen/clips.py`` for what its words and times are worth."""
    import sys

    sys.path.insert(0, str(ROOT))
    from tests.listen.clips import PLAY_TURNS, play

    truth: list[Turn] = list(PLAY_TURNS)
    rows = {"found": scores(truth, hear(play())[0]), "given": scores(truth, hear(play(), 2)[0])}
    print(rows["found"])
    write("real", {"conversations": [{"id": "endgame_nagg_nell", **rows}]})


def write(name: str, data: dict[str, Any]) -> None:
    """A result file."""
    from moodline import __version__

    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps({"moodline": __version__, **data}, indent=1) + "\n")


def tables() -> str:
    """The Markdown tables of the result files."""
    out = [
        "| recording | speakers | found | words | WER % | by speaker % | DER % | with collar | number given |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in ("real", "synthesised"):
        if not (OUT / f"{name}.json").exists():
            continue
        rows = json.loads((OUT / f"{name}.json").read_text())["conversations"]
        out += [_row(row["id"], row["found"], row["given"]) for row in rows]
        if len(rows) > 1:
            out.append(
                _row(f"**all {len(rows)} synthesised**", *(_sum([r[k] for r in rows]) for k in ("found", "given")))
            )
    if (OUT / "language.json").exists():
        out += [
            "",
            "| recording | language | words | mean log probability | small words % | repeated % | taken for foreign |",
            "|---|---|--:|--:|--:|--:|---|",
        ]
        for row in json.loads((OUT / "language.json").read_text())["recordings"]:
            cells = [row["id"], row["language"], row["words"], row["confidence"], f"{100 * row['small']:.0f}"]
            cells += [f"{100 * row['repeated']:.0f}", "yes" if row["foreign"] else "no"]
            out.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(out)


def _sum(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Totals; error rates weighted by time."""
    out = {k: sum(r[k] for r in rows) for k in ("words", "edits", "edits_by_speaker", "seconds", "speakers")}
    for name in ("der", "der_collar"):
        out[name] = sum(r[name] * r["seconds"] for r in rows) / out["seconds"]
    return out | {"speakers_found": sum(r["speakers_found"] for r in rows)}


def _row(name: str, found: dict[str, Any], given: dict[str, Any]) -> str:
    wer, own = (100 * found[k] / found["words"] for k in ("edits", "edits_by_speaker"))
    rates = (wer, own, 100 * found["der"], 100 * found["der_collar"], 100 * given["der"])
    cells = [name, found["speakers"], found["speakers_found"], found["words"], *(f"{x:.1f}" for x in rates)]
    return "| " + " | ".join(map(str, cells)) + " |"


def speed() -> str:
    """The Markdown table of benchmarks/listen.json."""
    if not SPEED.exists():
        return ""
    figures = json.loads(SPEED.read_text(encoding="utf-8"))
    runs = {k: v for k, v in figures.items() if isinstance(v, dict)}
    names = {
        "cold_start": "cold start",
        "ten_minutes": "ten minutes",
        "ten_minutes_with_transcript": "ten minutes, transcript given",
        "hours": "hours, words given, speakers found",
    }
    out = ["| | " + " | ".join(names[k] for k in runs) + " |", "|---|" + "--:|" * len(runs)]

    def row(title: str, cells: Sequence[str]) -> None:
        out.append(f"| {title} | " + " | ".join(cells) + " |")

    row("recording, s", [f"{v['seconds']:.0f}" for v in runs.values()])
    row("whole process, s", [f"{v['whole_process_seconds']:.1f}" for v in runs.values()])
    row("**real-time factor**", [f"**{v['real_time_factor']:.3f}**" for v in runs.values()])
    row("the same in processor time", [f"{v['processor_real_time_factor']:.3f}" for v in runs.values()])
    row("peak memory, MB", [f"{v['peak_megabytes']}" for v in runs.values()])
    row("other load before the run", [f"{v['load_before']:.1f}" for v in runs.values()])
    for stage in dict.fromkeys(name for v in runs.values() for name in v["stages"]):
        found = [v["stages"].get(stage) for v in runs.values()]
        row(f"{stage}, processor s", ["" if x is None else f"{x['processor']:.1f}" for x in found])
    return "\n".join(out)


def insert(page: Path, check: bool = False) -> bool:
    """Put the tables into a page; says whether it was out of date."""
    text = new = page.read_text(encoding="utf-8")
    for begin, end, table in ((BEGIN, END, tables()), (SPEED_BEGIN, SPEED_END, speed())):
        head, _, rest = new.partition(begin)
        new = f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    if new != text and not check:
        page.write_text(new, encoding="utf-8")
    return new != text


def main() -> None:
    """HeadlineMetric, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--talks", type=Path, help="the folder of synthesize_conversations.py")
    parser.add_argument("--clip", action="store_true", help="measure the real clip")
    parser.add_argument("--docs", type=Path, help="put the tables into this page")
    options = parser.parse_args()
    if options.talks:
        measure_talks(options.talks)
    if options.clip:
        measure_clip()
    if options.docs:
        insert(options.docs)


if __name__ == "__main__":
    main()
