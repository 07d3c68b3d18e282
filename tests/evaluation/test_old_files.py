"""Files of older versions, which used the word "score" for probabilities, values and ranges, are read unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError
from moodline.core.groups import Groups
from moodline.core.labels import MOSI_SCALE, LabelSet
from moodline.evaluation.predictions import Predictions, RegressionPredictions, read_any_predictions, write_predictions
from moodline.evaluation.tasks import Classification, Regression
from moodline.pipeline.checkpoint import build_model, load_checkpoint, save_checkpoint
from moodline.pipeline.recipe import ModalitySpec, load_recipe
from moodline.transcripts.read import read_transcript
from tests.tiny import SCORES, write_recipe

LABELS = LabelSet("two", ("zest", "awe"))
"""Not in the order of the alphabet: an old file that loses its labels would show."""
TALK = Conversation("c", (Utterance("a"), Utterance("b"), Utterance("x")))


def answers(width: int, **more: Any) -> Answers:
    rng = np.random.default_rng(width)
    text, speech, mixed = (rng.normal(size=(3, width)).astype(np.float32) for _ in range(3))
    weights = np.full((3, 2), 0.5, np.float32)
    return Answers(mixed, {"text": text, "speech": speech}, weights, np.array([1, 0, -100]), **more)


def made_old(run: Path) -> None:
    """Give the file the columns and metadata that the first version wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(run / "predictions.parquet")
    metadata = {k: v for k, v in table.schema.metadata.items() if k != b"moodline.format"}
    names = [n.replace("probability:", "score:", 1) for n in table.column_names]
    pq.write_table(table.rename_columns(names).replace_schema_metadata(metadata), run / "predictions.parquet")


def test_predictions_of_classes_of_the_first_version(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    groups = Groups("actors", {"c": "actor 1"})
    write_predictions(tmp_path, Classification(LABELS), [3], [TALK], [[answers(2)]], groups)
    new = read_any_predictions(tmp_path)
    assert "probability:text:zest" in pq.read_table(tmp_path / "predictions.parquet").column_names
    made_old(tmp_path)
    assert "score:text:zest" in pq.read_table(tmp_path / "predictions.parquet").column_names
    old = read_any_predictions(tmp_path)
    assert isinstance(new, Predictions)
    assert isinstance(old, Predictions)
    assert (old.labels, old.units, old.groups) == (LABELS.labels, "actors", ("actor 1", "actor 1"))
    assert old.probabilities is not None
    assert new.probabilities is not None
    assert np.array_equal(old.probabilities, new.probabilities)
    for name in ("text", "speech"):
        assert np.array_equal(old.expert_probabilities[name], new.expert_probabilities[name])


def test_predictions_of_values_of_the_first_version(tmp_path: Path) -> None:
    targets = np.array([0.5, -1.0, np.nan], np.float32)
    write_predictions(tmp_path, Regression(MOSI_SCALE), [0], [TALK], [[answers(1, targets=targets)]])
    new = read_any_predictions(tmp_path)
    made_old(tmp_path)
    old = read_any_predictions(tmp_path)
    assert isinstance(new, RegressionPredictions)
    assert isinstance(old, RegressionPredictions)
    assert old.scale == MOSI_SCALE
    assert old.truth.tolist() == [0.5, -1.0]
    assert np.array_equal(old.predicted, new.predicted)


def test_predictions_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_predictions(tmp_path, Classification(LABELS), [3], [TALK], [[answers(2)]])
    table = pq.read_table(tmp_path / "predictions.parquet")
    newer = table.replace_schema_metadata({**table.schema.metadata, b"moodline.format": b"9"})
    pq.write_table(newer, tmp_path / "predictions.parquet")
    with pytest.raises(ConfigError, match="format 9, expected at most 2"):
        read_any_predictions(tmp_path)


def test_a_checkpoint_whose_range_was_called_scores(tmp_path: Path) -> None:
    settings = {"name": "linear"}
    model = build_model(settings, {"text": 3}, 1, MOSI_SCALE.range)
    modalities = {"text": ModalitySpec(features="text")}
    save_checkpoint(
        tmp_path, name="old", model=model, settings=settings, dims={"text": 3}, target=MOSI_SCALE,
        modalities=modalities, calibration={"half_widths": {"0.8": 1.0}}, metrics={}, card="",
    )  # fmt: skip
    config = json.loads((tmp_path / "config.json").read_text())
    config["model"]["scores"] = [-3.0, 3.0]
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_checkpoint(tmp_path)
    assert loaded.target == MOSI_SCALE
    assert loaded.model.config.value_range == MOSI_SCALE.range  # type: ignore[union-attr]


def test_transcripts_with_the_key_score(tmp_path: Path) -> None:
    for key in ("score", "value"):
        rows = [{"id": "a", "text": "fine", key: 0.5}, {"id": "b", "text": "no"}]
        (tmp_path / f"{key}.json").write_text(json.dumps({"id": "talk", "utterances": rows}))
    old, new = ([u.value for u in read_transcript(tmp_path / f"{k}.json")[0]] for k in ("score", "value"))
    assert old == new == [0.5, None]
    assert "value" in read_transcript(tmp_path / "score.json")[0].to_dict()["utterances"][0]


@pytest.mark.parametrize(
    ("name", "stored"),
    [("classes", "classes"), ("scores", "scores"), ("classification", "classes"), ("regression", "scores")],
)
def test_both_names_of_a_task(tmp_path: Path, name: str, stored: str) -> None:
    recipe = load_recipe(str(write_recipe(tmp_path / "tiny.yaml", SCORES | {"task": name})))
    assert recipe.task == stored
