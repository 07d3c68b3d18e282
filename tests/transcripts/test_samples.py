"""The sample conversations that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files

import pytest

from moodline.core.labels import MELD_7
from moodline.transcripts.read import read_transcript


@pytest.mark.parametrize(
    ("name", "utterances", "speakers"),
    [("family_dinner.json", 20, 3), ("support_call.srt", 18, 2), ("team_meeting.csv", 16, 4)],
)
def test_samples_can_be_read(name: str, utterances: int, speakers: int) -> None:
    with as_file(files("moodline") / "samples" / name) as path:
        (conversation,) = read_transcript(path)
    assert conversation.id == name.split(".")[0]
    assert len(conversation) == utterances
    assert len({u.speaker for u in conversation}) == speakers
    assert None not in {u.speaker for u in conversation}
    ends = [u.end or 0 for u in conversation]
    assert all(
        u.start is not None and end <= u.start for u, end in zip(conversation.utterances[1:], ends, strict=False)
    )


def test_the_labelled_sample_has_all_seven_emotions() -> None:
    with as_file(files("moodline") / "samples" / "family_dinner.json") as path:
        (conversation,) = read_transcript(path)
    assert {u.emotion for u in conversation} == set(MELD_7.labels)
