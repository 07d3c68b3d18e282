"""Write the page and the picture of ``words-first`` from its result file.

    python scripts/recording_page.py [--check]

With --check nothing is changed, and the exit code is 1 if the page is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from model_page import plus_minus, table

from moodline.report.plots import BLUE, GREEN, ORANGE, canvas, save

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "results" / "models" / "words-first.json"
PAGE = ROOT / "docs" / "models" / "words-first.md"
PICTURE = ROOT / "results" / "models" / "words-first" / "sets.svg"
WHO = {"words": BLUE, "voice": ORANGE, "mixture": GREEN}

TEXT = """# words-first

The packaged model for recordings. The words decide; the voice counts as far as it shows an emotion clearly and is like
the voices that it learnt from. `moodline analyze call.wav` takes it by itself. This page is made from
`results/models/words-first.json` by `scripts/recording_page.py`; `scripts/build_recording_model.py` builds and judges
the model in one command.

## Why

Its predecessor [`voice-words`](voice-words.md) has a trained gate. On the conversations that it was composed from it
beats its words by far. On recordings that its builders had not seen it named 30 % and 33 % of the emotions rightly,
where its words alone named 70 % and 44 %; on 18 more 44 %, the words 64 %: a gate that has seen
actors only believes every voice. Most voices in conversations show little. This model starts from that.

## How

With the words' probabilities p(e), those of [`meld-text`](../../src/moodline/pretrained/meld-text/README.md):

    p(e | words, voice) ∝ p(e) · [1 + π · max(0, r(e) − 1)]

r(e) says how much likelier the voice is if it shows e than if it shows nothing. A linear classifier of {components}
principal components of Moonshine's layers gives it; its class "neutral" holds neutral and calm actors *and* synthetic
voices that speak emotional sentences without showing anything. Each voice is measured relative to the speaker's other
turns. π = {expressive:g} is the share of voices expected to show what their speaker feels, chosen on dev so that flat
voices cost nothing. A flat voice is no evidence against an emotion, a voice far from all training voices is no evidence
at all, and without a voice the answer is exactly that of the words. Without readable words the voice answers alone.
`src/moodline/models/words_first.py` has it in {lines} lines.

## What it gets right

Accuracy in percent, mean ± standard deviation over {draws} draws of who speaks what; one model, judged once. The words
are MELD's test split, the actors 21 to 24 of RAVDESS and the synthetic voices are in no training or dev set, one of
the synthetic voices is by another synthesizer.

![Words, voice and mixture on each set](../../results/models/words-first/sets.svg)

{table}

{verdicts}

*Voice weight* is the mean share of the answer that the voice added. *Abstained or shown*: the answer is marked as
unsure, or the result says what voice and words say by themselves (`voice: anger`, `words: neutral`).

## Confidence

{confidence}

## Words of everyday life

The words' model learnt from a television comedy. On {dialogues} everyday dialogues ({turns} turns: service calls,
clinics, families, meetings, calm fear, polite anger, grief; `scripts/everyday/`), which were written for this purpose
and which nothing was trained or chosen on, it is right far less often than one would wish. The writer and both readers
are language models, so their agreement (κ {kappa}) is no human ceiling.

{everyday}

*Surest 60 %*: right answers among the sixty percent of turns with the highest confidence. Of single emotions, F1: {f1}.
The asked 80 % are **not reached**. `moodline check` measures a model on conversations of your own.

## Limits

- The voice learnt from actors who say two sentences, and from synthetic voices. On real voices that show much it may
  say less than a listener hears, and where it resembles an actor's it may still mislead.
- Where voice and words contradict each other, as in sarcasm, a strong voice can win: see set d. The result shows both.
- English words. RAVDESS is CC BY-NC-SA 4.0, and the weights inherit that: not for commercial use. `--model meld-text`
  reads the words alone and has no such limit.
- Do not use it to judge, rank, hire, grade, police, interrogate or medically assess people, or to infer anyone's
  emotions at work or in education.
"""


def absent(row: dict[str, Any], who: str) -> bool:
    """True where a set has no voice, or no words: that expert answers nothing, and its number would mislead."""
    return bool(row["voice_weight"][0] == {"voice": 0.0, "words": 1.0}.get(who))


def verdicts(sets: dict[str, Any]) -> str:
    """What was asked of the model, and whether it holds."""

    def right(name: str, who: str) -> float:
        return float(sets[name][who]["accuracy"][0])

    flat = [n for n in sets if n.startswith("a:")]
    sentences = [n for n in sets if n.startswith("b:")]
    agree, against = "c: voice and words agree", "d: voice contradicts words"
    asked = [
        ("(a) flat voices: at most 0.5 below the words",
         all(right(n, "mixture") >= right(n, "words") - 0.5 for n in flat),
         ", ".join(f"{right(n, 'mixture') - right(n, 'words'):+.1f}" for n in flat)),
        ("(b) neutral sentences: at least 0.85 of the voice",
         all(right(n, "mixture") >= 0.85 * right(n, "voice") for n in sentences),
         ", ".join(f"{right(n, 'mixture') / right(n, 'voice'):.2f}" for n in sentences)),
        ("(c) agreement: above both", right(agree, "mixture") > max(right(agree, "words"), right(agree, "voice")),
         f"{right(agree, 'mixture'):.1f} against {right(agree, 'words'):.1f} and {right(agree, 'voice'):.1f}"),
        ("(d) contradiction: abstains or shows it", sets[against]["abstained_or_shown"][0] >= 80,
         f"{sets[against]['abstained_or_shown'][0]:.0f} % of the turns"),
        ("(e) voice drowned: at most 0.5 below the words",
         right("e: drowned", "mixture") >= right("e: drowned", "words") - 0.5,
         f"{right('e: drowned', 'mixture') - right('e: drowned', 'words'):+.1f}"),
        ("(f) without voice: equal to the words",
         right("f: words alone", "mixture") == right("f: words alone", "words"),
         f"{right('f: words alone', 'mixture'):.1f}"),
    ]  # fmt: skip
    return table(["asked", "holds", "measured"], [[a, "yes" if h else "**no**", m] for a, h, m in asked])


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    sets = results["summary"]
    rows = [
        [name, *("–" if absent(r, w) else plus_minus(r[w]["accuracy"]) for w in WHO), f"{r['voice_weight'][0]:.2f}",
         f"{r['abstained_or_shown'][0]:.0f} %", f"{round(r['utterances'][0])}"]
        for name, r in sets.items()
    ]  # fmt: skip
    confidence = [
        [name, plus_minus(r["ece"]), f"{r['answered'][0]:.0f}", plus_minus(r["answered_right"])]
        for name, r in sets.items()
    ]
    daily = json.loads((SOURCE.parent / "everyday.json").read_text(encoding="utf-8"))
    model = (ROOT / "src" / "moodline" / "models" / "words_first.py").read_text(encoding="utf-8")
    return TEXT.format(
        components=results["voice"]["components"],
        expressive=results["settings"]["expressive"],
        lines=model.count("\n"),
        draws=results["draws"],
        table=table(["set", *WHO, "voice weight", "abstained or shown", "turns"], rows),
        verdicts=verdicts(sets),
        dialogues=daily["dialogues"],
        turns=daily["turns"],
        kappa=daily["agreement"]["kappa"],
        everyday=everyday(daily),
        f1=", ".join(f"{label} {f1:.0f}" for label, f1 in daily["reader 1"]["f1"].items()),
        confidence=table(["set", "ECE", "answers (%)", "of these right (%)"], confidence),
    )


def everyday(found: dict[str, Any]) -> str:
    """The numbers on everyday dialogues."""
    rows = [
        [name, f"{r['turns']}", *(f"{r[k]:.1f}" for k in ("accuracy", "weighted_f1", "ece", "right_of_the_surest_60"))]
        for name, r in found.items()
        if isinstance(r, dict) and "turns" in r
    ]
    return table(["labels of", "turns", "accuracy", "weighted F1", "ECE", "surest 60 %"], rows)


def draw(results: dict[str, Any]) -> None:
    """Bars of words, voice and mixture for each set."""
    sets = results["summary"]
    y = np.arange(len(sets))[::-1]
    with canvas((9, 0.55 * len(sets) + 1.2)) as figure:
        axes = figure.subplots()
        for n, (who, colour) in enumerate(WHO.items()):
            mean, sd = zip(*((0, 0) if absent(r, who) else r[who]["accuracy"] for r in sets.values()), strict=True)
            axes.barh(y + 0.26 * (1 - n), mean, 0.24, xerr=sd, color=colour, label=who, error_kw={"lw": 0.8})
        axes.set_yticks(y, list(sets))
        axes.set_xlim(0, 100)
        axes.set_xlabel("right answers (%)")
        axes.grid(axis="x")
        axes.legend(loc="lower right")
        with PICTURE.open("wb") as file:
            save(figure, file, ".svg")


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    results = json.loads(SOURCE.read_text(encoding="utf-8"))
    text = page(results)
    if options.check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit(f"{PAGE.relative_to(ROOT)} is out of date. Run: python scripts/recording_page.py")
        return
    PAGE.write_text(text, encoding="utf-8")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    draw(results)


if __name__ == "__main__":
    main()
