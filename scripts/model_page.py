"""Write the page of the packaged model of voice and words from its result file.

    python scripts/model_page.py [--check]

With --check nothing is changed, and the exit code is 1 if the page is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "results" / "models" / "voice-words.json"
PAGE = ROOT / "docs" / "models" / "voice-words.md"

HEAD = """# voice-words

The older packaged model for recordings; [`words-first`](words-first.md) has taken its place, because on real recordings
this one was worse than its words alone. It is MiSTER-E with an expert for the voice (frozen Moonshine, all
layers, relative to the speaker's other turns), one for the words (MiniLM fine-tuned on MELD) and one for both. This
page is made from
`results/models/voice-words.json` by `scripts/model_page.py`; numbers are means ± standard deviations over {seeds}
(text encoder and model), tested once each. The packaged one is seed {packed}, the best on dev. An earlier version,
whose gate read logits only, was tested before; what changed is in [the log](../log.md).

No corpus with real voices and the words of conversations could be had, so one was composed
(`scripts/compose_corpus.py`): dialogues of MELD and EmoryNLP, each speaker an actor of RAVDESS, each utterance a clip
of that actor with the same emotion, or, in set shares, without voice, with a neutral, a contradicting or a drowned
one, without words, or with those of another utterance. Words and voice of an utterance were never said together, and
the actors say two sentences. What holds on it holds for acted voices.
"""


def plus_minus(value: list[float]) -> str:
    """``mean ± sd``."""
    return f"{value[0]:.1f} ± {value[1]:.1f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    cases, voice = results["summary"]["composed"], results["summary"]["voice"]
    count = len(results["seeds"])
    experts = list(cases["as composed"]["experts"])
    parts = [HEAD.format(seeds=f"{count} seeds", packed=results["packed_seed"])]
    rows = [
        [
            name,
            plus_minus(c["weighted_f1"]),
            *(plus_minus(c["experts"][e]) for e in experts),
            f"{c['utterances'][0]:.0f}",
        ]
        for name, c in cases.items()
    ]
    parts += [
        "## What it gets right (test, weighted F1)\n",
        table(["case", "mixture", *(f"{e} alone" for e in experts), "utterances"], rows),
        "*Words of MELD* is MELD's own test split without any voice. The other cases are the composed test split, with",
        "the actors 21 to 24 that nothing was trained on; all but the first of them count only the utterances whose",
        "voice shows the emotion of the words. An expert that has nothing to read has gate weight 0.\n",
        "## Whom the gate believes (mean gate weight)\n",
        table(
            ["case", *experts],
            [[n, *(f"{c['gate_weights'][e][0]:.2f}" for e in experts)] for n, c in cases.items()],
        ),
        "The paper's gate sees the experts' logits only. This one also reads their context features, and has a loss of",
        "its own that rewards weight on experts that are right (`gate_reads`, `gate_loss`), so that weight leaves an",
        "expert whose input is noise. *Fusion* reads both modalities: part of what one of them loses goes there.\n",
        "## The voice under bad conditions (held-out actors, accuracy)\n",
        voice_table(voice),
        "*Clip alone*: each clip is a recording of its own, the speaker's other turns are unknown. *Together*: all",
        "clips of an actor are one recording, so that the voice is heard relative to the speaker, as in a real one.\n",
        "## Confidence\n",
        calibration(cases),
        "![How far confidence can be trusted](../../results/models/voice-words/reliability.svg)",
        "![What abstaining buys](../../results/models/voice-words/risk-coverage.svg)\n",
        "## By class (composed test, F1)\n",
        by_class(cases),
        "## What it must not be used for\n",
        "To judge, rank, hire, grade, police, interrogate or medically assess people, or to infer anyone's emotions at",
        "work or in education. RAVDESS is CC BY-NC-SA 4.0, and the weights inherit that: non-commercial use only.",
    ]
    return "\n".join(parts) + "\n"


def voice_table(voice: dict[str, Any]) -> str:
    """One row for each effect."""
    effects = dict.fromkeys(name.partition(",")[0] for name in voice)
    rows = [
        [e, *(plus_minus(voice[f"{e}, {how}"]["accuracy"]) for how in ("clip alone", "actor's clips together"))]
        for e in effects
    ]
    return table(["recording", "clip alone", "together"], rows)


def calibration(cases: dict[str, Any]) -> str:
    """Calibration error before and after, and what abstaining gives."""
    rows = []
    for name in ("words of MELD", "as composed"):
        case, quiet = cases[name], cases[name]["abstain"]
        rows.append(
            [name, plus_minus(case["ece"]["before"]), plus_minus(case["ece"]["after"]), f"{quiet['below'][0]:.2f}",
             plus_minus(quiet["coverage"]), plus_minus(quiet["accuracy"]), plus_minus(case["accuracy"])]
        )  # fmt: skip
    head = [
        "case",
        "ECE before",
        "ECE after",
        "abstains below",
        "then answers (%)",
        "of these right",
        "all answers right",
    ]
    return table(head, rows)


def by_class(cases: dict[str, Any]) -> str:
    """F1 of each class."""
    names = ("words of MELD", "as composed")
    rows = [
        [label, *(plus_minus(cases[n]["per_class"][label]["f1"]) for n in names)]
        for label in cases["as composed"]["per_class"]
    ]
    return table(["class", *names], rows)


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = page(json.loads(SOURCE.read_text(encoding="utf-8")))
    if options.check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit(f"{PAGE.relative_to(ROOT)} is out of date. Run: python scripts/model_page.py")
        return
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
