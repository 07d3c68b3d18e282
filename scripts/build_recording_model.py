"""Build the packaged model for recordings, ``words-first``, from meld-text, actors and synthetic voices; judge it.

    python scripts/build_recording_model.py --data DIR --spoken DIR [--work runs/words-first]

DIR of --data holds MELD and RAVDESS; --spoken is what scripts/provenance/speak_meld.py wrote. The words' model is the
packaged meld-text as it is. The voice's classifier is fitted on actors 1 to 16 and synthetic voices; its settings and
those of the mixture are chosen on actors 17 to 20, other synthetic voices and MELD's dev split. The test sets (MELD's
test split, actors 21 to 24, synthetic voices of test, one of them by another synthesizer) are judged once, with five
draws of who speaks what. Writes results/models/words-first.json and the package's own folder.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from build_default_model import over_seeds
from numpy.typing import NDArray
from packing import PACKAGED, clear
from recording_sets import (
    SENTENCES,
    Pool,
    Talk,
    actor_pool,
    sentence_talks,
    single_turns,
    synthetic_pool,
    synthetic_talks,
    with_voices,
    without,
)

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation, Utterance
from moodline.core.files import write_json
from moodline.core.labels import IGNORE, MELD_7
from moodline.corpora.inspect import corpus_hash
from moodline.corpora.registry import read_corpus
from moodline.encoders.inputs import TextInput
from moodline.evaluation.calibration import calibrate, fit_temperature, softmax
from moodline.evaluation.metrics import expected_calibration_error, weighted_f1
from moodline.evaluation.results import provenance
from moodline.features.speaker_normalization import SpeakerNormalization
from moodline.models.registry import pretrained_directory
from moodline.models.words_first import WordsFirst, WordsFirstConfig
from moodline.pipeline.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from moodline.pipeline.encoders import load_encoders
from moodline.pipeline.features import encode_inputs, encoder_inputs
from moodline.training.data import collate, make_example
from moodline.training.inference import answer

NAME, SHRINK = "words-first", 10.0
RESULTS = Path(__file__).resolve().parents[1] / "results" / "models"
SIZES = (1, 1, 2, 3, 5, 8, 15, 30)
"""Turns known of a speaker in a training session."""
SILENT = 0.4
"""The share of training sessions in which a speaker shows nothing at all."""
GRID = {"expressive": (0.1, 0.2, 0.3, 0.4), "reach": (1.2,)}
MIXED = {"a: synthetic voices": 1, "a: flat voices of actors": 1, "f: words alone": 1,
         "c: voice and words agree": 4, "d: voice contradicts words": 20}  # fmt: skip
"""Dev sets that confidence is calibrated on: all, every fourth, every twentieth answer; strong voices are rare."""
LOST = 0.003
"""The share of answers that flat and drowned voices may cost on dev, on average."""
NEUTRAL = MELD_7.index("neutral")


def relative(x: NDArray[Any], normalization: SpeakerNormalization) -> NDArray[np.float32]:
    """Features of one speaker's turns [N, D], normalised by speaker."""
    turns = tuple(Utterance(f"u{i}", "S", text="-") for i in range(len(x)))
    found = normalization.apply({u.id: row for u, row in zip(turns, x, strict=True)}, [Conversation("c", turns)])
    return np.stack([found[u.id] for u in turns])


def sessions(pool: Pool, normalization: SpeakerNormalization, each: int, seed: int) -> tuple[Any, Any]:
    """Features and classes of speakers of whom few or many turns are known, most of them flat or few."""
    random, xs, ys = np.random.default_rng(seed), [], []
    for speaker, condition in sorted(set(zip(pool.speaker, pool.condition, strict=True))):
        own = np.flatnonzero((pool.speaker == speaker) & (pool.condition == condition))
        for _ in range(each):
            flat = pool.emotion[own] == NEUTRAL
            share = 1.0 if random.random() < SILENT or flat.all() else random.uniform(0, 0.9)
            share = share if flat.any() else 0.0
            chance = np.where(flat, share / max(1, flat.sum()), (1 - share) / max(1, (~flat).sum()))
            size = min(int((chance > 0).sum()), int(random.choice(SIZES)))
            some = random.choice(own, size, replace=False, p=chance / chance.sum())
            xs.append(relative(pool.features[some], normalization))
            ys.append(pool.emotion[some])
    return np.concatenate(xs), np.concatenate(ys)


def fit_voice(
    train: tuple[Any, Any], dev: tuple[Any, Any], components: Sequence[int], strengths: Sequence[float]
) -> list[dict[str, Any]]:
    """Whitened principal components and a linear classifier, for each size and strength of regularisation."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    (x, y), (xd, yd) = train, dev
    shares = np.log(np.bincount(y, minlength=len(MELD_7)) / len(y))
    found: list[dict[str, Any]] = []
    weights = np.array([1 / np.mean(yd == c) for c in range(len(MELD_7))])[yd]
    for size in components:
        pca = PCA(size, whiten=True, svd_solver="randomized", random_state=0).fit(x)
        projection = (pca.components_ / np.sqrt(pca.explained_variance_[:, None])).T
        for strength in strengths:
            linear = LogisticRegression(C=strength, max_iter=500).fit((x - pca.mean_) @ projection, y)
            z = linear.decision_function((xd - pca.mean_) @ projection) - shares
            temperature = fit_temperature(z, yd)
            p = softmax(z, temperature)
            loss = float(np.average(-np.log(p[np.arange(len(yd)), yd]), weights=weights))
            print(f"voice: {size} components, C {strength}: loss {loss:.3f}, right {(z.argmax(1) == yd).mean():.3f}")
            found.append({"loss": loss, "components": size, "strength": strength, "temperature": temperature,
                          "mean": pca.mean_, "projection": projection, "weight": linear.coef_,
                          "bias": linear.intercept_ - shares})  # fmt: skip
    return found


def build(words: Checkpoint, voice: dict[str, Any], **settings: float) -> WordsFirst:
    """The network from the words' network and the voice's classifier."""
    dims = {"speech": len(voice["mean"]), "text": words.config["dims"]["text"]}
    own = dict(words.config["model"].items())
    model = WordsFirst(WordsFirstConfig(dims, len(MELD_7), words=own, components=voice["components"], **settings))  # type: ignore[arg-type]
    model.words.load_state_dict(words.model.state_dict())
    with torch.no_grad():
        for tensor, value in ((model.mean, "mean"), (model.projection, "projection"),
                              (model.voice.weight, "weight"), (model.voice.bias, "bias")):  # fmt: skip
            tensor.copy_(torch.as_tensor(voice[value]))
        model.temperatures.copy_(torch.tensor([words.calibration["temperature"], voice["temperature"]]))
    return model.eval()


def answers_of(model: WordsFirst, talks: Sequence[Talk], normalization: SpeakerNormalization) -> list[Answers]:
    """What the model answers, as in the recognizer: each talk normalised by itself."""
    examples = []
    for conversation, features in talks:
        own = features | {"speech": normalization.apply(features["speech"], [conversation])}
        examples.append(make_example(conversation, own, model.config.dims, MELD_7))
    return answer(model, examples, collate, lengths=[len(e) for e in examples])


def labelled(answers: Sequence[Answers], talks: Sequence[Talk]) -> dict[str, NDArray[Any]]:
    """Logits of the labelled utterances that have a voice (of all, in talks without any), experts and labels."""
    any_voice = any(f["speech"] for _, f in talks)
    has = np.array([u.id in f["speech"] or not any_voice for c, f in talks for u in c])
    kept = has & (np.concatenate([a.labels for a in answers]) != IGNORE)
    parts = {n: np.concatenate([a.experts[n] for a in answers])[kept] for n in answers[0].experts}
    return {
        "both": np.concatenate([a.logits for a in answers])[kept],
        "labels": np.concatenate([a.labels for a in answers])[kept],
        "weights": np.concatenate([a.weights for a in answers])[kept],
        "talk": np.repeat(np.arange(len(talks)), [len(c) for c, _ in talks])[kept],
        **parts,
    }


def right(found: dict[str, NDArray[Any]], which: str) -> float:
    """Share of right answers."""
    return float((found[which].argmax(-1) == found["labels"]).mean())


def judge(found: dict[str, NDArray[Any]], calibration: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one set."""
    y, p = found["labels"], softmax(found["both"], calibration["temperature"])
    firm = p.max(-1) >= calibration["abstain"]["confidence"]
    voice, words = found["speech"].argmax(-1), found["text"].argmax(-1)
    differ = (voice != words) & (voice != NEUTRAL)
    out: dict[str, Any] = {"utterances": len(y), "conversations": len(set(found["talk"]))}
    for name, logits in (("mixture", found["both"]), ("words", found["text"]), ("voice", found["speech"])):
        guess = logits.argmax(-1)
        out[name] = {"accuracy": 100 * float((guess == y).mean()),
                     "weighted_f1": 100 * float(weighted_f1(y, guess, len(MELD_7)))}  # fmt: skip
    return out | {
        "voice_weight": float(found["weights"][:, 0].mean()),
        "ece": 100 * float(expected_calibration_error(p, y)),
        "answered": 100 * float(firm.mean()),
        "answered_right": 100 * float((p.argmax(-1) == y)[firm].mean()) if firm.any() else 0.0,
        "abstained_or_shown": 100 * float((~firm | differ).mean()),
    }


def other(emotion: str | None, random: np.random.Generator) -> int | None:
    """An emotion that contradicts the words', never neutral."""
    left = [e for e in MELD_7.labels if e not in (emotion, "neutral")]
    return MELD_7.index(left[int(random.integers(len(left)))])


class Material:
    """Everything of one split: conversations, words, pools; makes the sets."""

    def __init__(self, options: argparse.Namespace, words: Checkpoint, split: str) -> None:
        encoders = load_encoders(words.modalities, words.directory, {}, "cpu")
        voice = load_checkpoint(Path(str(pretrained_directory("voice-words"))))
        speech = load_encoders(voice.modalities, voice.directory, {}, "cpu")["speech"]
        self.meld = list(read_corpus("meld", options.data).splits[split])
        spec = words.modalities["text"].encoder
        spoken = self.meld if split != "train" else []  # the voice's classifier is fitted without words
        inputs = {k: x for c in spoken for k, x in encoder_inputs(c, "text", spec).items()}
        self.words = encode_inputs(inputs, "text", encoders["text"], {})
        said = encoders["text"].encode([TextInput(s) for s in SENTENCES.values()])
        self.words |= dict(zip(SENTENCES.values(), said, strict=True))
        self.actors = actor_pool(options.data, speech, split, options.work)
        self.synthetic, self.about = synthetic_pool(options.spoken, speech, split, options.work)

    def condition(self, name: str) -> Pool:
        """The actors in one condition of recording."""
        return self.actors.where(self.actors.condition == name)

    def sets(self, seed: int) -> dict[str, list[Talk]]:
        """Name to talks; ``seed`` draws who speaks what."""
        random = np.random.default_rng(seed)
        clean = self.condition("clean")

        def cast(pool: Pool, choose: Callable[[Utterance], int | None]) -> list[Talk]:
            return with_voices(self.meld, self.words, pool, choose, random)

        agree = cast(clean, lambda u: MELD_7.index(u.emotion))
        out = {
            "a: synthetic voices": synthetic_talks(self.meld, self.words, self.synthetic, self.about),
            "a: flat voices of actors": cast(clean, lambda u: NEUTRAL),
            "b: neutral sentences, 15 turns of an actor": sentence_talks(clean, self.words, 15, random),
            "b: neutral sentences, one turn": single_turns(sentence_talks(clean, self.words, 15, random)),
            "c: voice and words agree": agree,
            "d: voice contradicts words": cast(clean, lambda u: other(u.emotion, random)),
            "e: one turn of a speaker": single_turns(agree),
            "f: words alone": without(agree, "speech"),
            "voice alone": without(sentence_talks(clean, self.words, 15, random), "text"),
        }
        for name in ("telephone", "noise-10", "room", "loud", "drowned"):
            out[f"e: {name}"] = cast(self.condition(name), lambda u: MELD_7.index(u.emotion))
        return out


def choose(
    words: Checkpoint, voices: Sequence[dict[str, Any]], sets: dict[str, list[Talk]], n: SpeakerNormalization
) -> tuple[dict[str, Any], dict[str, float], dict[str, Any]]:
    """The voice's classifier and the mixture's settings on dev.

    The best mean over the sets, of those whose flat and drowned voices cost at most ``LOST`` on average.

    Returns:
        The classifier, the settings, and the numbers of the choice.
    """
    rows = []
    for v, values in itertools.product(range(len(voices)), itertools.product(*GRID.values())):
        settings = dict(zip(GRID, values, strict=True))
        model = build(words, voices[v], **settings)
        found = {k: labelled(answers_of(model, talks, n), talks) for k, talks in sets.items()}
        gain = {k: right(f, "both") - right(f, "text") for k, f in found.items()}
        lost = float(np.mean([gain[k] for k in gain if k.startswith("a:") or k == "e: drowned"]))
        mean = float(np.mean([right(f, "both") for f in found.values()]))
        table = {k: round(100 * right(f, "both"), 1) for k, f in found.items()}
        rows.append((lost >= -LOST, mean, v, settings, table))
        size = voices[v]["components"]
        print(f"{size} components, {settings}: mean {100 * mean:.2f}, lost {100 * lost:.2f}, {table}", flush=True)
    allowed, mean, v, settings, table = max(rows, key=lambda r: r[:2])
    return voices[v], settings, {"mean": mean, "allowed": bool(allowed), "accuracy": table}


def main() -> None:
    """Fit, choose on dev, calibrate, judge once, pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--spoken", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/words-first"))
    parser.add_argument("--target", type=Path, default=PACKAGED / NAME)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--dev-only", action="store_true", help="stop before the test sets")
    options = parser.parse_args()
    words = load_checkpoint(pretrained_directory("meld-text"))
    train, dev = (Material(options, words, split) for split in ("train", "dev"))
    x = np.concatenate([train.actors.features, train.synthetic.features]).astype(np.float64)
    normalization = SpeakerNormalization(x.mean(0), x.var(0), SHRINK)
    fit = [sessions(train.actors, normalization, 6, 0), sessions(train.synthetic, normalization, 12, 1)]
    held = [sessions(dev.condition("clean"), normalization, 60, 2), sessions(dev.synthetic, normalization, 20, 3)]
    joined = [tuple(np.concatenate(part) for part in zip(*some, strict=True)) for some in (fit, held)]
    voices = fit_voice(joined[0], joined[1], (64, 160), (0.003,))  # type: ignore[arg-type]
    sets = dev.sets(0)
    weighed = {k: talks for k, talks in sets.items() if k[0] in "abc" or "drowned" in k}
    voice, settings, chosen = choose(words, voices, weighed, normalization)
    model = build(words, voice, **settings)
    found = {k: labelled(answers_of(model, talks, normalization), talks) for k, talks in sets.items()}
    mixed = [found[k] for k in MIXED]
    share = [slice(None, None, step) for step in MIXED.values()]
    part = {key: np.concatenate([f[key][s] for f, s in zip(mixed, share, strict=True)]) for key in ("both", "labels")}
    calibration = calibrate(part["both"], {}, part["labels"]) | {"experts": {"speech": 1.0, "text": 1.0}}
    print(settings, chosen, {k: v for k, v in calibration.items() if k in ("temperature", "ece")})
    print({k: {n: round(100 * right(f, n), 1) for n in ("both", "text", "speech")} for k, f in found.items()})
    if options.dev_only:
        return
    test = Material(options, words, "test")
    draws = []
    for seed in range(5):
        tested = test.sets(seed)
        numbers = {
            k: judge(labelled(answers_of(model, talks, normalization), talks), calibration)
            for k, talks in tested.items()
        }
        draws.append(numbers)
    results = {
        "model": NAME,
        "chosen_on": "dev of MELD, actors 17 to 20, synthetic voices of dev",
        "settings": settings,
        "voice": {k: voice[k] for k in ("components", "strength", "temperature", "loss")},
        "dev": chosen,
        "draws": len(draws),
        "summary": over_seeds(draws),
        "provenance": provenance(corpus_hash(read_corpus("meld", options.data)), {}, {}),
    }
    options.results.mkdir(parents=True, exist_ok=True)
    write_json(options.results / f"{NAME}.json", results)
    pack_model(options.target, model, words, normalization, calibration, settings, voice, results)
    for name, row in results["summary"].items():
        print(name, row["mixture"]["accuracy"], row["words"]["accuracy"], row["voice"]["accuracy"], row["voice_weight"])


def pack_model(
    target: Path,
    model: WordsFirst,
    words: Checkpoint,
    normalization: SpeakerNormalization,
    calibration: dict[str, Any],
    settings: dict[str, float],
    voice: dict[str, Any],
    results: dict[str, Any],
) -> None:
    """Write the packaged folder: the words' encoder as it is, weights as float16."""
    import shutil

    clear(target)
    shutil.copytree(words.directory / "encoder-text", target / "encoder-text")
    speech = load_checkpoint(pretrained_directory("voice-words")).modalities["speech"]
    modalities = {"speech": speech, "text": words.modalities["text"]}
    encoders = load_encoders(modalities, target, {}, "cpu")
    save_checkpoint(
        target,
        name=NAME,
        model=model,
        settings={
            "name": "voice-evidence",
            "words": dict(words.config["model"]),
            "components": voice["components"],
            **settings,
        },
        dims=dict(model.config.dims),
        target=MELD_7,
        modalities=modalities,
        calibration=calibration,
        metrics={"dev": results["dev"]},
        card=card(results),
        encoders={m: e.revision for m, e in encoders.items()},
        normalizations={"speech": normalization},
        languages=("en",),
        half=True,
    )
    for path in target.rglob("*.safetensors"):
        path.chmod(0o644)


def card(results: dict[str, Any]) -> str:
    """The model card."""
    rows = [
        f"| {k} | {r['mixture']['accuracy'][0]:.1f} | {r['words']['accuracy'][0]:.1f} |"
        f" {r['voice']['accuracy'][0]:.1f} | {round(r['utterances'][0])} |"
        for k, r in results["summary"].items()
    ]
    return "\n".join([
        f"# {NAME}\n",
        "The packaged model for recordings. The words decide, read by meld-text. The voice counts as far as it shows",
        "an emotion clearly and is like the voices that it learnt from; a flat voice, a far one or none leaves the",
        "answer of the words as it is. `docs/models/words-first.md` has the method and all numbers.\n",
        "Use it: `moodline analyze call.wav`, or `Recognizer.load(recording=True)` in Python.\n",
        "## Test: accuracy (%)\n",
        "| set | mixture | words | voice | utterances |",
        "|---|---|---|---|---|",
        *rows,
        "\n## Limits\n",
        "- The voice was learnt from actors who say two sentences (RAVDESS), and synthetic voices that show nothing.",
        "- It says how an utterance comes across to annotators, not what a person feels.",
        "- English words only.",
        "- Do not use it to judge, rank, hire, grade, police or medically assess people, or to infer emotions",
        "  at work or in education.",
        "- RAVDESS is CC BY-NC-SA 4.0, and the weights inherit that: non-commercial use only.",
        "- The words were learnt from MELD (GPL-3 data).",
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
