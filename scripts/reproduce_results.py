"""Train and test the recipes behind ``results/`` again, five seeds each; begun runs are resumed.

DATA=../shared/data python scripts/reproduce_results.py [RECIPE ...]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from moodline.config import load_recipe
from moodline.experiment import evaluate, train
from moodline.report.results import draw_plots, publish_results

SEEDS: dict[str, int] = {}
"""Fewer seeds where one takes long; the table says how many."""


def main() -> None:
    """Go through the recipes, say how long each took."""
    root = Path(__file__).resolve().parents[1]
    data = Path(os.environ.get("DATA", root.parent / "shared" / "data"))
    published = sorted(
        p.parent.relative_to(root / "results").as_posix() for p in (root / "results").rglob("results.json")
    )
    for name in sys.argv[1:] or published:
        start = time.monotonic()
        run = train(load_recipe(name), data, root / "runs" / name, range(SEEDS.get(name, 5)))
        results = evaluate(run, data)
        draw_plots(run.directory, results)
        publish_results(run.directory, root / "results" / name)
        minutes = (time.monotonic() - start) / 60
        print(f"{name}: weighted F1 {results['mean']['weighted_f1']}, {minutes:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
