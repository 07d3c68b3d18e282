"""The recognizer: a conversation in, its mood line out. ``analyze``, programs and notebooks all call this."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from moodline import __version__
from moodline.core.answers import Answers
from moodline.core.conversation import Conversation, some_ids
from moodline.core.device import default_device
from moodline.core.errors import ConfigError, ConversationError, UnknownNameError
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.encoders.base import Encoder, truncated_by
from moodline.encoders.long_text import reads_in_parts
from moodline.evaluation.tasks import task_of
from moodline.listen.language import foreign_words
from moodline.models.registry import (
    DEFAULT_MODEL,
    PRETRAINED,
    RECORDING_MODEL,
    packaged_model,
    pretrained_directory,
)
from moodline.pipeline.checkpoint import Checkpoint, load_checkpoint
from moodline.pipeline.encoders import load_encoders
from moodline.pipeline.features import FeatureMap, encode_inputs, encoder_inputs
from moodline.training.data import collate, make_example
from moodline.training.inference import answer

if TYPE_CHECKING:
    from moodline.core.progress import ProgressCallback
    from moodline.listen.diarizer import Diarizer
    from moodline.listen.listen import Channels
    from moodline.listen.transcriber import Transcriber

REMEMBERED = 20_000
"""Utterance texts whose vectors a recognizer keeps, so that turns seen before cost nothing; then it starts anew."""

NEVER = 1.1
"""A threshold that no confidence reaches: every answer is marked as abstained."""


def model_directory(name: str | Path | None = None, *, recording: bool = False) -> Path:
    """The directory of a model's files; see ``Recognizer.load`` for the arguments.

    Raises:
        UnknownNameError: neither a name nor a directory.
    """
    if name is None:
        name = RECORDING_MODEL if recording else DEFAULT_MODEL
    directory = pretrained_directory(str(name)) or Path(name)
    if not directory.exists() and directory.name == str(name):
        raise UnknownNameError("model", str(name), PRETRAINED, "See: moodline models; or give a directory.")
    return directory


class Recognizer:
    """A loaded model that reads conversations. Make one with ``Recognizer.load`` and keep it.

    While a conversation goes on, call ``recognize`` again with all turns so far: only new turns are encoded. A model
    that normalises by speaker measures each turn against the speaker's other turns in the conversation.

    Many threads may call ``recognize`` and ``listen`` of one object. Networks run for one conversation at a time, so
    memory does not grow with the number of threads; finding speech and recognizing words run side by side.

    Args:
        checkpoint: the model and what goes with it.
        device: "cpu", "cuda", …; "auto" takes a GPU if there is one
        threads: processor threads that a network computes with, set for the whole process (torch.set_num_threads);
            None for torch's own number, one for each core.

    Raises:
        ConfigError: ``threads`` is below one; a modality's features come from corpus files.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "auto", threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ConfigError("threads must be at least 1", threads, "Leave it out for one thread for each core.")
        self.checkpoint, self.device, self.threads = checkpoint, device, threads
        self.task = task_of(checkpoint.target)
        packaged = pretrained_directory(checkpoint.name) == checkpoint.directory
        self.about = packaged_model(checkpoint.name) if packaged else None
        """Licence and limits of a packaged model; None of another."""
        for m, spec in checkpoint.modalities.items():
            if spec.encoder is None:
                raise ConfigError(
                    f"model {checkpoint.name}: its {m} features come from corpus files",
                    fix="To read conversations, use a model whose modalities have encoders; see: moodline models.",
                )
        self.encoders: dict[str, Encoder] = {}
        """Those that were needed so far: a transcript without sound does without a speech encoder's package."""
        self._known: dict[str, dict[str, np.ndarray]] = {m: {} for m in checkpoint.modalities}
        self._lock = threading.Lock()
        """Held wherever encoders, networks or the vectors of texts are used."""

    @classmethod
    def load(
        cls,
        name: str | Path | None = None,
        device: str = "auto",
        *,
        recording: bool = False,
        threads: int | None = None,
    ) -> Recognizer:
        """Load a packaged model by name or a checkpoint directory by path.

        Args:
            name: of ``moodline models``, or a directory; None for the default: meld-text, which reads words, or
                words-first for a recording.
            device: "cpu", "cuda", …; "auto" takes a GPU if there is one.
            recording: True if recordings will be given, not transcripts alone.
            threads: processor threads that a network computes with, see the class.

        Raises:
            UnknownNameError: neither a name nor a directory.
            CheckpointError: the directory is not a complete checkpoint.
        """
        directory = model_directory(name, recording=recording)
        device = default_device(device)
        return cls(load_checkpoint(directory, device), device, threads)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the model's order; none for a regression."""
        return self.checkpoint.target.labels

    @property
    def abstain_below(self) -> float:
        """The confidence below which this model had better not answer, chosen on dev; 0 if none was chosen."""
        return float(self.checkpoint.calibration.get("abstain", {}).get("confidence", 0.0))

    def forget(self) -> None:
        """Drop the vectors of texts that were read, so that an answer's last bits do not depend on earlier ones."""
        with self._lock:
            self._known = {m: {} for m in self._known}

    def recognize(self, conversation: Conversation, abstain_below: float | None = None) -> Prediction:
        """The emotion of every utterance, with calibrated probabilities and expert weights; or its value and interval.

        Args:
            conversation: at least one utterance must have what the model reads (words, audio, …).
            abstain_below: utterances with a lower confidence are marked ``abstained``; None for the model's own
                threshold, see ``abstain_below``.

        Raises:
            ConversationError: no utterance has anything that the model reads.
            ConfigError: a regression has no confidence, so nothing to abstain by.
        """
        threshold = self._threshold(abstain_below)
        inputs = {m: self._inputs(conversation, m) for m in self.checkpoint.modalities}
        with self._lock:
            found, features, truncated = self._compute(conversation, inputs)
        foreign = self._foreign(conversation, features)
        notes = (*conversation.notes, *foreign, *truncated)
        return self._prediction(conversation, found, features, NEVER if foreign else threshold, notes)

    def recognize_many(
        self, conversations: Iterable[Conversation], abstain_below: float | None = None, batch: int = 32
    ) -> Iterator[Prediction]:
        """The predictions of many conversations, lazily and in order; ``batch`` of them are computed together.

        Raises:
            See ``recognize``; the predictions before the wrong conversation have been given.
        """
        threshold = self._threshold(abstain_below)
        waiting = iter(conversations)
        while some := list(islice(waiting, batch)):
            self.prepare(some)
            for conversation in some:
                yield self.recognize(conversation, threshold if abstain_below is not None else None)

    def prepare(self, conversations: Sequence[Conversation]) -> None:
        """Encode the texts of several conversations in one go, so that ``recognize`` need not."""
        if "text" not in self.checkpoint.modalities:
            return
        inputs = {
            f"{n}/{id_}": x
            for n, conversation in enumerate(conversations)
            for id_, x in self._inputs(conversation, "text").items()
        }
        with self._lock:
            self._features("text", inputs)

    def listen_many(self, paths: Iterable[str | Path], **settings: Any) -> Iterator[Prediction]:
        """The predictions of many recordings, lazily and in order.

        The next recording is read while the caller uses a prediction; no more than one is read ahead.

        Args:
            paths: sound or film files.
            **settings: see ``listen``; the same for all.

        Raises:
            See ``listen``; the predictions before the wrong recording have been given.
        """
        with ThreadPoolExecutor(1) as pool:
            ahead: Future[Prediction] | None = None
            for path in paths:
                following = pool.submit(self.listen, path, **settings)
                if ahead is not None:
                    yield ahead.result()
                ahead = following
            if ahead is not None:
                yield ahead.result()

    def listen(
        self,
        path: str | Path,
        transcript: Conversation | None = None,
        *,
        speakers: int | None = None,
        channels: Channels = "mix",
        transcriber: Transcriber | str | None = None,
        diarizer: Diarizer | str | None = None,
        abstain_below: float | None = None,
        progress: ProgressCallback | None = None,
        track: int | None = None,
    ) -> Prediction:
        """The emotions in a recording: it is turned into a conversation, which is recognized.

        Words in a language that the model was not trained on are shown but not judged. The model of a transcript
        reads words only; ``Recognizer.load(recording=True)`` reads the voice too.

        Args:
            path: a sound or film file.
            transcript: what is said, or who speaks when, as far as it is known; of ``read_transcript``.
            speakers, channels, transcriber, diarizer, progress, track: see ``moodline.listen.listen.listen``.
            abstain_below: see ``recognize``.

        Raises:
            MediaError: not a recording, silent, or without speech.
            ConversationError, ConfigError: see ``recognize``; the settings contradict each other.
            MissingDependencyError, StorageError: a package is missing; the disk is full.
        """
        from moodline.listen.listen import listen

        self._threshold(abstain_below)  # whether it is allowed, before hours of work
        languages = self.checkpoint.languages
        heard = listen(path, transcript, speakers, channels, transcriber, diarizer, progress, languages, track)
        try:
            found = self.recognize(heard.conversation, abstain_below)
        except ConversationError as error:
            raise ConversationError(error.rule, " ".join(heard.notes) or error.found, error.fix) from None
        utterances = tuple(replace(u, text=heard.texts.get(u.id, u.text)) for u in found.utterances)
        notes = tuple(dict.fromkeys((*heard.notes, *found.notes)))
        return replace(found, utterances=utterances, media=Path(path), sound=heard.sound, notes=notes)

    def _threshold(self, abstain_below: float | None) -> float:
        """What the caller says, or else the model's own; raises where neither makes sense."""
        if abstain_below is None:
            return self.abstain_below
        self.task.check_threshold(self.checkpoint.name, abstain_below)
        return abstain_below

    def _compute(
        self, conversation: Conversation, inputs: Mapping[str, Mapping[str, Any]]
    ) -> tuple[Answers, dict[str, FeatureMap], list[str]]:
        """Answers, features of each modality, and notes on what encoders cut; the caller holds the lock."""
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)  # each thread of a program has its own number
        if sum(map(len, self._known.values())) > REMEMBERED:
            self._known = {m: {} for m in self._known}
        features: dict[str, FeatureMap] = {m: self._features(m, given) for m, given in inputs.items()}
        if not any(features.values()):
            raise ConversationError(
                f"conversation {conversation.id}: no utterance has what the model {self.checkpoint.name} reads",
                fix=f"It reads: {', '.join(self.checkpoint.modalities)}.",
            )
        for m, normalization in self.checkpoint.normalizations.items():
            features[m] = normalization.apply(features[m], [conversation])
        example = make_example(conversation, features, self.checkpoint.config["dims"], None, self.checkpoint.reads)
        (found,) = answer(self.checkpoint.model, [example], collate, lengths=[len(example)])
        return found, features, self._truncated(conversation, inputs, features)

    def _foreign(self, conversation: Conversation, features: Mapping[str, FeatureMap]) -> list[str]:
        """A note where the words are in a language that the model did not learn."""
        strange = foreign_words([u.text for u in conversation if u.text], self.checkpoint.languages)
        if strange is None or not features.get("text"):
            return []
        return [f"The words are {strange}: the model did not learn them, so no answer is firm."]

    def _truncated(
        self, conversation: Conversation, inputs: Mapping[str, Mapping[str, Any]], features: Mapping[str, FeatureMap]
    ) -> list[str]:
        """A note for each modality whose encoder read only the beginning of some utterances."""
        notes = []
        for m, encoder in self.encoders.items():
            spec = self.checkpoint.modalities[m].encoder
            if spec is None or not features[m]:
                continue
            shortened = {i: x for i, x in inputs[m].items() if not reads_in_parts(encoder, x)}
            if cut := truncated_by(encoder, shortened):
                reads = encoder.settings
                most = f"{reads['max_tokens']} word pieces" if m == "text" else f"{reads['max_seconds']:g} s of sound"
                of = "window of turns" if spec.window else "turn"
                count = f"the end of {len(cut)} of {len(conversation)} was not judged"
                notes.append(f"The model takes in {most} a {of}: {count}, {some_ids(cut)}.")
        return notes

    def _inputs(self, conversation: Conversation, modality: str) -> dict[str, Any]:
        """Utterance id to what the modality's encoder reads; without the utterances that lack the modality."""
        spec = self.checkpoint.modalities[modality].encoder
        assert spec is not None
        return encoder_inputs(conversation, modality, spec)

    def _features(self, modality: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The features of inputs; the modality's encoder is loaded when there is a first one."""
        if not inputs:
            return {}
        if modality not in self.encoders:
            model = self.checkpoint
            spec = model.modalities[modality]
            revisions = model.config.get("encoders", {})
            self.encoders |= load_encoders({modality: spec}, model.directory, revisions, self.device)
        return encode_inputs(inputs, modality, self.encoders[modality], self._known[modality])

    def _prediction(
        self,
        conversation: Conversation,
        found: Answers,
        features: Mapping[str, FeatureMap],
        abstain_below: float,
        notes: tuple[str, ...],
    ) -> Prediction:
        said = self.task.predict(found, self.checkpoint.calibration, abstain_below)
        ids = [utterance.id for utterance in conversation]
        rows = []
        for u, utterance in enumerate(conversation):
            has = tuple(m for m, known in features.items() if utterance.id in known)
            rows.append(
                UtterancePrediction(
                    id=utterance.id,
                    speaker=utterance.speaker,
                    start=utterance.start,
                    end=utterance.end,
                    text=utterance.text,
                    **said[u],
                    weights=dict(zip(found.experts, map(float, found.weights[u]), strict=True)),
                    modalities=has,
                    uncertainty={m: float(found.uncertainty[m][u]) for m in has if m in found.uncertainty},
                    attention={m: _looked_at(ids, *found.attention[m], u) for m in has if m in found.attention},
                    guides={name: float(x[u]) for name, x in found.guides.items()},
                )
            )
        return Prediction(
            conversation.id,
            self.checkpoint.name,
            __version__,
            self.labels,
            tuple(rows),
            media=conversation.media,
            sound=conversation.sound or conversation.media,
            **self.task.about,
            notes=notes,
            licence=self.about.licence if self.about else "",
            limits=self.about.limits if self.about else "",
            events=conversation.events,
        )


def _looked_at(
    ids: Sequence[str], weights: np.ndarray, places: np.ndarray, u: int
) -> tuple[tuple[tuple[str, float], ...], ...]:
    """What each reasoning step of an utterance looked at, from weights and places [U, N, P]; below 1 % is left out."""
    return tuple(
        tuple((ids[p], float(w)) for p, w in zip(at, step, strict=True) if p >= 0 and w >= 0.01)
        for at, step in zip(places[u], weights[u], strict=True)
    )
