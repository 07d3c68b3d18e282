"""``moodline check``: models beside what a person labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodline.cli.console import print_json, print_table, stdout


def run_check(file: Path, labels: Path, models: list[str], out: Path | None, json_: bool, quiet: bool) -> None:
    """Recognize the file with each model, compare with the labels, print the numbers and which model suits.

    Args:
        file: a recording or a transcript.
        labels: CSV, see ``read_labels``.
        models: names or directories; empty for the packaged ones that can read the file.
        out: a JSON file to write, or None.
        json_, quiet: how to print.
    """
    from moodline.cli.analyze import Reading, is_recording_file, read_conversations
    from moodline.core.errors import ConversationError
    from moodline.core.files import check_output_path, write_json
    from moodline.core.progress import progress_bar
    from moodline.pipeline.check import check_answers, match, read_labels
    from moodline.pipeline.recognizer import Recognizer

    if out is not None:
        check_output_path(out)
    wanted = read_labels(labels)
    recording = is_recording_file(file)
    conversations = [] if recording else read_conversations(file, Reading())
    if len(conversations) > 1:
        raise ConversationError(f"{file}: expected one conversation", len(conversations), "Split the file.")
    found: list[dict[str, Any]] = []
    for name in models or (["words-first", "meld-text"] if recording else ["meld-text"]):
        recognizer = Recognizer.load(name, recording=recording)
        if recording:
            with progress_bar(quiet) as progress:
                prediction = recognizer.listen(file, progress=progress)
        else:
            prediction = recognizer.recognize(conversations[0])
        found.append(check_answers(prediction, match(wanted, prediction, labels)))
    best = max(found, key=lambda r: (r["accuracy"], r["weighted_f1"]))
    if out is not None:
        write_json(out, {"file": file.name, "best": best["model"], "models": found})
    if json_:
        print_json({"file": file.name, "best": best["model"], "models": found})
    elif not quiet:
        _print(found, best)


def _print(found: list[dict[str, Any]], best: dict[str, Any]) -> None:
    from moodline.pipeline.check import FEW, WANTED

    heads = ["model", "turns", "right", "95 % interval", "weighted F1", "ECE", "own threshold", "suggested threshold"]
    rows = []
    for r in found:
        own, new = r["own_threshold"], r["suggested"]
        low, high = r["accuracy_interval"]
        rows.append([
            r["model"], str(r["turns"]), f"{r['accuracy']:.0f} %", f"{low:.0f} to {high:.0f} %",
            f"{r['weighted_f1']:.0f}",
            f"{r['ece']:.0f}", f"{own['right'] or 0:.0f} % of {own['answered']:.0f} % answered",
            f"{new['abstain_below']:.2f}: {new['right']:.0f} % of {new['answered']:.0f} %",
        ])  # fmt: skip
    print_table("check", heads, rows, whole=("model",))
    threshold = best["suggested"]
    advice = f"Suits best: --model {best['model']} --abstain-below {threshold['abstain_below']:.2f}."
    if not threshold["reached"]:
        advice += f" No threshold gives {100 * WANTED:.0f} % right answers with most turns answered."
    if best["turns"] < FEW:
        advice += f" With {best['turns']} labelled turns this is a hint; label at least {FEW}, better 50."
    stdout().print(advice)
