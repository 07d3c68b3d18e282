"""``moodline analyze``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from moodline.cli.console import print_json, stdout
from moodline.core.errors import ConfigError, ConversationError, MoodlineError
from moodline.core.progress import progress_bar

if TYPE_CHECKING:
    from moodline.core.conversation import Conversation
    from moodline.core.prediction import Prediction
    from moodline.pipeline.recognizer import Recognizer


@dataclass(frozen=True)
class Hearing:
    """How a recording is listened to; see ``Recognizer.listen``. None where nothing was said."""

    transcript: Path | None = None
    speakers: int | None = None
    channels: Literal["mix", "split"] | None = None
    transcriber: str | None = None
    diarizer: str | None = None
    track: int | None = None


@dataclass(frozen=True)
class Reading:
    """How a transcript is read; see ``read_transcript``."""

    format: str | None = None
    encoding: str | None = None
    skip_empty: bool = False
    strict: bool = False
    tiers: tuple[str, ...] = ()


def run(
    file: Path,
    outputs: Sequence[Path],
    reading: Reading,
    hearing: Hearing,
    model: str | None,
    abstain_below: float | None,
    device: str,
    threads: int | None,
    json_: bool,
    quiet: bool,
    names: Mapping[str, str] | None = None,
) -> None:
    """Read a transcript or listen to a recording, recognize it, write files, print a table.

    Bad input is found before anything is loaded, as far as that can be. Where something fails later, the rest is still
    written and printed before the error is raised.
    """
    from moodline.report.write import check_times

    _check_outputs(outputs, file, hearing.transcript)
    recording = is_recording_file(file, None if hearing.transcript else reading.format)
    given = hearing.transcript if recording else file
    conversations = read_conversations(given, reading) if given is not None else []
    if recording:
        _check_one(conversations, given)
    else:
        _check_no_hearing(file, hearing)
        for output in outputs:
            check_times(output, conversations)

    from moodline.pipeline.recognizer import Recognizer

    warnings.filterwarnings("ignore")
    recognizer = Recognizer.load(model, device, recording=recording, threads=threads)
    errors: list[MoodlineError] = []
    if recording:
        transcript = conversations[0] if conversations else None
        predictions = [_listen(file, transcript, hearing, recognizer, abstain_below, quiet)]
    else:
        predictions = _recognize(conversations, recognizer, abstain_below, quiet, errors)
    predictions = _rename(predictions, names or {})
    predictions, written = _write(predictions, outputs, errors)
    if json_ and predictions:
        rows = [p.to_dict() for p in predictions]
        print_json(rows[0] if len(rows) == 1 else rows)
    elif not quiet:
        _print(predictions, written)
    if errors:
        raise errors[0] if len(errors) == 1 else MoodlineError(" ".join(f"{str(e).rstrip('.')}." for e in errors))


def read_names(given: Sequence[str]) -> dict[str, str]:
    """Speaker to new name from ``OLD=NEW``, several of them parted by commas.

    Raises:
        ConfigError: no equals sign, a name is empty, or a speaker is named twice.
    """
    names: dict[str, str] = {}
    for pair in (part for text in given for part in text.split(",")):
        old, equals, new = (x.strip() for x in pair.partition("="))
        if not (old and equals and new) or old in names:
            what = "names each speaker once" if old in names else "takes SPEAKER=NAME"
            raise ConfigError(f"--names {what}", f"'{pair.strip()}'", "For example --names S1=Anna.")
        names[old] = new
    return names


def _rename(predictions: list[Prediction], names: Mapping[str, str]) -> list[Prediction]:
    """The predictions with other names of speakers.

    Raises:
        ConfigError: nobody has one of the names to be changed.
    """
    speakers = list(dict.fromkeys(u.speaker for p in predictions for u in p.utterances if u.speaker))
    if predictions and (strange := [name for name in names if name not in speakers]):
        found = ", ".join(speakers) or "no names"
        raise ConfigError(f"--names: there is no speaker '{strange[0]}'", f"speakers: {found}", "Name one of these.")
    return [
        replace(p, utterances=tuple(replace(u, speaker=names.get(u.speaker or "", u.speaker)) for u in p.utterances))
        for p in predictions
    ]


def _recognize(
    conversations: Sequence[Conversation],
    recognizer: Recognizer,
    abstain_below: float | None,
    quiet: bool,
    errors: list[MoodlineError],
) -> list[Prediction]:
    """Answers to all conversations that can be answered; what is wrong with the others is added to ``errors``."""
    found = []
    with progress_bar(quiet or len(conversations) < 2) as progress:
        for number, conversation in enumerate(conversations, 1):
            try:
                found.append(recognizer.recognize(conversation, abstain_below))
            except ConversationError as error:
                errors.append(error)
            progress("recognizing conversations", number, len(conversations))
    return found


def _write(
    predictions: list[Prediction], outputs: Sequence[Path], errors: list[MoodlineError]
) -> tuple[list[Prediction], list[Path]]:
    """Write what can be written; what cannot is added to ``errors``.

    Returns:
        The predictions, with a note for what a file had to leave out, and the files that were written.
    """
    from moodline.report.write import left_out, write_prediction

    if not predictions:
        return [], []
    missing = [note for output in outputs if (note := left_out(output, predictions))]
    predictions = [replace(p, notes=tuple(dict.fromkeys((*p.notes, *missing)))) for p in predictions]
    written = []
    for output in outputs:
        try:
            write_prediction(predictions, output)
        except MoodlineError as error:
            errors.append(error)
        else:
            written.append(output)
    return predictions, written


def _listen(
    file: Path,
    transcript: Conversation | None,
    hearing: Hearing,
    recognizer: Recognizer,
    abstain_below: float | None,
    quiet: bool,
) -> Prediction:
    with progress_bar(quiet) as progress:
        return recognizer.listen(
            file,
            transcript,
            speakers=hearing.speakers,
            channels=hearing.channels or "mix",
            transcriber=hearing.transcriber,
            diarizer=hearing.diarizer,
            abstain_below=abstain_below,
            progress=progress,
            track=hearing.track,
        )


def is_recording_file(file: Path, format_: str | None = None) -> bool:
    """True for a recording, False for a transcript: by the suffix, or else by the first bytes.

    Args:
        file: what the user named.
        format_: the transcript's format, if the user named one; then it is no recording.
    """
    from moodline.media.kinds import is_recording
    from moodline.transcripts.read import FORMATS

    suffix = file.suffix.lower().removeprefix(".")
    return format_ is None and suffix not in FORMATS and is_recording(file)


def read_conversations(path: Path, reading: Reading) -> list[Conversation]:
    """See ``read_transcript``."""
    from moodline.transcripts.read import read_transcript

    return read_transcript(path, **asdict(reading))


def _check_one(conversations: Sequence[Conversation], given: Path | None) -> None:
    if len(conversations) > 1:
        raise ConversationError(
            f"{given}: the transcript of a recording holds one conversation", len(conversations), "Split the file."
        )


def _check_no_hearing(file: Path, hearing: Hearing) -> None:
    for name in ("transcript", "speakers", "channels", "transcriber", "diarizer", "track"):
        if getattr(hearing, name) is not None:
            raise ConfigError(f"--{name} goes with a recording", f"{file}, a transcript", "Leave it out.")


def _check_outputs(outputs: Sequence[Path], file: Path, transcript: Path | None) -> None:
    from moodline.report.write import check_output

    seen = set[Path]()
    for output in outputs:
        check_output(output)
        if output.resolve() in seen:
            raise ConfigError(f"{output}: named twice as an output", fix="Name it once.")
        seen.add(output.resolve())
        for source in (file, transcript):
            if source is not None and output.exists() and source.exists() and output.samefile(source):
                kind = "transcript" if source == transcript or not is_recording_file(file) else "recording"
                raise ConfigError(f"{output}: the output would replace the {kind}", fix="Name another file.")


def _print(predictions: Sequence[Prediction], outputs: Sequence[Path]) -> None:
    from moodline.report.table import mood_summary, prediction_table

    for prediction in predictions:
        stdout().print(prediction_table(prediction))
        stdout().print(mood_summary(prediction))
        for note in prediction.notes:
            stdout().print(f"Note: {note}", markup=False)
    for output in outputs:
        stdout().print(f"written: {output}", markup=False)
