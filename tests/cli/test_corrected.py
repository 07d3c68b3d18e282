"""``convert`` of corrected results and ``compare`` of two files, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from moodline.report.write import write_prediction
from tests.annotation.test_corrected import result
from tests.tiny import call


def test_convert_and_compare(tmp_path: Path) -> None:
    folder = tmp_path / "corrected"
    folder.mkdir()
    for n in range(3):
        write_prediction([result(f"talk{n}")], folder / f"talk{n}.json")
    code, out, error = call("convert", folder, "--out", tmp_path / "house", "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["labels"] == {"neutral": 3, "joy": 3, "anger": 3}
    assert (tmp_path / "house" / "train.jsonl").is_file()
    code, out, error = call("inspect", "house", tmp_path / "house")
    assert code == 0
    write_prediction([result("talk0", {1: "surprise"})], tmp_path / "b.eaf")
    code, out, error = call("compare", folder / "talk0.json", tmp_path / "b.eaf")
    assert (code, error) == (0, "")
    assert "Cohen's κ 0.57, same label 66.7% of 3 utterances" in out
    assert "1 without a label" in out
    code, out, _ = call("compare", folder / "talk0.json", tmp_path / "b.eaf", "--json")
    assert json.loads(out)["utterances"] == 3
    code, _, error = call("convert", folder)
    assert (code, error) == (2, "moodline: convert: expected the new directory. Add --out DIRECTORY.\n")
