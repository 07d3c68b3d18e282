"""Every registered model answers as it did before the source was moved into folders (commit bff6c07).

``golden.json`` was computed with that commit's code. ``python -m tests.models.test_golden`` adds the cases of a new
model; it never replaces a number.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moodline.models.registry import MODELS
from tests.models import golden

FILE = Path(__file__).parent / "golden.json"
TOLERANCE = 1e-5
"""Of each number, relative to the largest of its kind: processors add in different orders."""


def test_every_registered_model_has_golden_numbers() -> None:
    assert set(golden.MODELS) == set(MODELS), "add the model to tests/models/golden.py"
    assert set(json.loads(FILE.read_text())) == set(golden.cases()), "run: python -m tests.models.test_golden"


@pytest.mark.parametrize("case", golden.cases())
def test_answers_are_those_of_before_the_move(case: str) -> None:
    before = json.loads(FILE.read_text())[case]
    now = golden.answers(*golden.cases()[case])
    assert now.keys() == before.keys()
    for key, numbers in before.items():
        size = max(1.0, *map(abs, numbers))
        assert now[key] == pytest.approx(numbers, abs=TOLERANCE * size, rel=0), key


if __name__ == "__main__":
    stored = json.loads(FILE.read_text()) if FILE.is_file() else {}
    new = {name: golden.answers(*case) for name, case in golden.cases().items() if name not in stored}
    rounded = {case: {k: [float(f"{x:.8g}") for x in v] for k, v in numbers.items()} for case, numbers in new.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in (stored | rounded).items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
