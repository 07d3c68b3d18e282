"""Published verdicts once more, by the test of ``evaluation/significance.py``, from what their files hold.

    python scripts/provenance/retest_experiments.py results/experiments

Files of before 2026-11-29 have intervals of a bootstrap over conversations and seeds, whose spread is too small for few
seeds. Their predictions are not published, so the parts of the variance are taken apart: that of the interval, less
the seeds' share in it (the variance of the seeds' differences, divided by S twice), is the conversations'; the seeds'
sample variance, divided by S, is added to it. Where a claim is not about numbers that are stored for each seed (gate
weights, the worst class), the whole variance counts as the seeds', which errs on the careful side. Done once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from moodline.core.files import write_json
from moodline.evaluation.headline import UNITS
from moodline.evaluation.significance import undecided
from moodline.experiments.ablations.analysis import METHOD, NO_VERDICTS
from moodline.experiments.ablations.claims import FAILS, HOLDS, holm

GROUPS = 30
"""Degrees of freedom of the conversations' share, if the file does not say how many there are; hardly matters."""
NOTE = " Recomputed on 2026-11-29 from the intervals and the seeds' values of the file (scripts/provenance)."


def retest(
    found: dict[str, Any], first: list[float] | None, second: list[float] | None, seeds: int, digits: int
) -> None:
    """Replace ``interval`` and ``p`` of a comparison, second minus first."""
    low, high = found["interval"]
    whole = ((high - low) / (2 * stats.norm.ppf(0.975))) ** 2
    if seeds < 2:
        return
    if first is not None and second is not None and len(first) == len(second) == seeds:
        differences = np.subtract(second, first)
        biased, trainings = float(differences.var()) / seeds, float(differences.var(ddof=1)) / seeds
        conversations = max(0.0, whole - biased)
    else:
        conversations, trainings = 0.0, whole * seeds / (seeds - 1)
    total = conversations + trainings
    if total <= 0:
        return
    freedom = total**2 / (conversations**2 / (GROUPS - 1) + trainings**2 / (seeds - 1))
    half = float(stats.t.ppf(0.975, freedom)) * total**0.5
    found["interval"] = [round(found["difference"] - half, digits), round(found["difference"] + half, digits)]
    found["p"] = round(2 * float(stats.t.sf(abs(found["difference"]) / total**0.5, freedom)), 4)


def again(data: dict[str, Any]) -> None:
    """All comparisons of one file."""
    seeds = len(data["seeds"])
    values = {v["name"]: v["test"]["seeds"] for v in data["variants"] if "test" in v}
    values |= {f"base:{v['name'].removesuffix(' expert')}": v["test"]["seeds"] for v in data["voices"] if "test" in v}
    for variant in data["variants"]:
        if "versus_base" in variant:
            retest(variant["versus_base"], values["base"], variant["test"]["seeds"], seeds, 4)
    for voice in data["voices"]:
        if "versus_mixture" in voice:
            retest(voice["versus_mixture"], values["base"], voice["test"]["seeds"], seeds, 4)
    tested = [c for c in data["claims"] if "p" in c]
    for claim in tested:
        unit = UNITS[claim["unit"]]
        headline = "weighted F1" in claim["unit"] or "absolute error" in claim["unit"]
        sides = [values.get(claim[side]["name"]) if headline else None for side in ("worse", "better")]
        retest(claim, *sides, seeds, unit.digits)
    for claim, p in zip(tested, holm([c["p"] for c in tested]), strict=True):
        claim["p_holm"] = round(p, 4)
        ahead = UNITS[claim["unit"]].sign * claim["difference"] > 0
        claim["verdict"] = undecided(p, seeds) or (HOLDS if ahead else FAILS)
    units = "actors" if "actors" in data["method"].partition(";")[0] else "conversations"
    few = "few" if NO_VERDICTS.partition("{")[0].strip() in data["method"] else ""
    data["method"] = METHOD.format(draws=5000, units=units) + (NO_VERDICTS.format(few=3) if few else "") + NOTE


def main() -> None:
    """Every experiment below a folder."""
    for path in sorted(Path(sys.argv[1]).rglob("experiment.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        before = {c["name"]: c["verdict"] for c in data["claims"]}
        if NOTE in data["method"]:
            continue
        again(data)
        write_json(path, data)
        after = {c["name"]: c["verdict"] for c in data["claims"]}
        changed = {name: (before[name], now) for name, now in after.items() if before[name] != now}
        print(path.parent, changed or "as before")


if __name__ == "__main__":
    main()
