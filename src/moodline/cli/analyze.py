"""``moodline analyze``."""

from __future__ import annotations

import warnings
from pathlib import Path

from moodline.cli.console import print_json, progress_bar, stdout


def run(
    file: Path,
    output: Path | None,
    format_: str | None,
    model: str,
    abstain_below: float,
    skip_empty: bool,
    device: str,
    json_: bool,
    quiet: bool,
) -> None:
    """Read a transcript, recognize it, print a table, write a file. Bad input is found before anything is loaded."""
    from moodline.errors import ConfigError
    from moodline.report.write import check_output, check_subtitles, write_prediction
    from moodline.transcripts import read_transcript

    if output is not None:
        check_output(output)
        if output.exists() and file.exists() and output.samefile(file):
            raise ConfigError(f"{output}: the output would replace the transcript", fix="Name another file.")
    conversations = read_transcript(file, format=format_, skip_empty=skip_empty)
    if output is not None and output.suffix.lower() in (".srt", ".vtt"):
        check_subtitles(conversations)

    from moodline.recognizer import Recognizer

    warnings.filterwarnings("ignore")
    recognizer = Recognizer.load(model, device)
    predictions = []
    with progress_bar(quiet or len(conversations) < 2) as progress:
        for number, conversation in enumerate(conversations, 1):
            predictions.append(recognizer.recognize(conversation, abstain_below))
            progress("recognizing conversations", number, len(conversations))
    if output is not None:
        write_prediction(predictions, output)
    if json_:
        rows = [p.to_dict() for p in predictions]
        print_json(rows[0] if len(rows) == 1 else rows)
    elif not quiet:
        from moodline.report.table import mood_summary, prediction_table

        for prediction in predictions:
            stdout().print(prediction_table(prediction))
            stdout().print(mood_summary(prediction))
        if output is not None:
            stdout().print(f"written: {output}")
