"""What OpenAI's own client sends, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from moodline.transcripts.read import read_transcript
from tests.service.clips import clip
from tests.service.conftest import KEYS
from tests.service.servers import Server, running
from tests.service.test_recordings import files

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this file's own: others' tests leave jobs behind, and here the folder is looked into."""
    with running(tmp_path_factory.mktemp("serve"), MOODLINE_API_KEY=" ".join(KEYS)) as server:
        yield server


@pytest.fixture
def api(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEYS[0], max_retries=0) as client:
        yield client


def ask(api: openai.OpenAI, **settings: Any) -> Any:
    with clip().open("rb") as file:
        return api.audio.transcriptions.create(file=file, **({"model": "whisper-1"} | settings))


def test_json_and_text(api: openai.OpenAI) -> None:
    answer = ask(api)
    assert answer.text.startswith("Do you hear me? Yes.")
    assert answer.usage.seconds == pytest.approx(28.277)
    assert ask(api, response_format="text") == answer.text + "\n"


def test_segments_have_speakers_and_emotions(api: openai.OpenAI) -> None:
    answer = ask(api, model="gpt-4o-transcribe-diarize", response_format="diarized_json", chunking_strategy="auto")
    first, second = answer.segments[:2]
    assert (first.type, first.speaker, second.speaker) == ("transcript.text.segment", "S1", "S2")
    assert first.start < first.end <= second.start
    assert first.emotion in first.probabilities
    assert first.confidence == first.probabilities[first.emotion]
    assert answer.notes == []
    verbose = ask(
        api, response_format="verbose_json", timestamp_granularities=["segment"], language="en", prompt="Names"
    )
    assert (verbose.task, verbose.language) == ("transcribe", "english")
    assert [s.text for s in verbose.segments] == [s.text for s in answer.segments]
    assert verbose.segments[0].emotion == first.emotion
    assert verbose.notes == ["Without effect here: prompt."]


@pytest.mark.parametrize("format_", ["srt", "vtt"])
def test_subtitles_can_be_read(api: openai.OpenAI, tmp_path: Any, format_: str) -> None:
    path = tmp_path / f"a.{format_}"
    path.write_text(ask(api, response_format=format_))
    (conversation,) = read_transcript(path)
    assert conversation.utterances[0].speaker == "S1"
    assert "Do you hear me?" in str(conversation.utterances[0].text)


def test_models_are_listed(api: openai.OpenAI) -> None:
    models = api.models.list().data
    assert [m.id for m in models] == ["meld-text", "words-first"]
    assert ask(api, model="meld-text").text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "whisper-9"}, "unknown model 'whisper-9'"),
        ({"language": "xx"}, "the model words-first reads English"),
        ({"stream": True}, "answers are given whole"),
        ({"timestamp_granularities": ["word"]}, "words have no times here"),
        ({"include": ["logprobs"]}, "log probabilities are not given"),
        ({"response_format": "docx"}, "response_format"),
        ({"extra_body": {"speekers": "2"}}, "Did you mean speakers?"),
    ],
)
def test_what_cannot_be_given_is_refused(api: openai.OpenAI, server: Server, settings: Any, words: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match=words.replace("?", r"\?")) as caught:
        ask(api, **settings)
    assert caught.value.request_id
    assert files(server) == []


def test_every_answer_is_as_described(client: httpx.Client) -> None:
    """``client`` compares with the OpenAPI description."""
    for format_ in ("json", "text", "srt", "vtt", "verbose_json", "diarized_json"):
        upload = {"file": ("call.wav", clip().read_bytes())}
        data = {"model": "whisper-1", "response_format": format_}
        assert client.post("/v1/audio/transcriptions", files=upload, data=data).status_code == 200


def test_wrong_keys_are_openai_s_errors(server: Server) -> None:
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="nobody's key", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="a key of this service is needed"),
    ):
        ask(stranger)
