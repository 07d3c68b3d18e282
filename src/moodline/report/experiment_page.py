"""The page of an experiment and the overview of all of them, as Markdown, made from ``experiment.json`` alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from moodline.evaluation.headline import UNITS, HeadlineMetric
from moodline.evaluation.tasks import task_in
from moodline.experiments.ablations.files import FILE, result_name
from moodline.report.experiment_words import signed, words_of

MADE_END = "by `make docs`; do not edit -->"
MADE = "<!-- made from {source} " + MADE_END


def experiment_page_text(data: dict[str, Any], pictures: str = "plots", source: str = FILE) -> str:
    """The page of one experiment.

    Args:
        data: content of ``experiment.json``.
        pictures: the folder of the pictures, as seen from the page.
        source: the file that the page is made from, as named in it.
    """
    parts = [_head(data, source), _claims(data), *_sweeps(data, pictures), _structure(data, pictures)]
    parts += [
        _voices(data, pictures),
        _gate(data, pictures),
        *(SECTIONS[name](data, pictures) for name in words_of(data).sections),
        _case(data, pictures),
        _foot(data),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def page_name(data: dict[str, Any]) -> str:
    """The file name of an experiment's page in the docs."""
    return f"{data['page']}-{result_name(data['corpus'], task_in(data).key)}.md"


def _measure(data: dict[str, Any]) -> HeadlineMetric:
    return task_in(data).headline


def _head(data: dict[str, Any], source: str) -> str:
    test, seeds = data["test"], len(data["seeds"])
    skipped: dict[str, list[str]] = {}
    for v in data["variants"]:
        if "skipped" in v:
            skipped.setdefault(v["skipped"], []).append(f"`{v['name']}`")
    lines = [
        f"# {data['title']}: {words_of(data).title(data)}",
        MADE.format(source=source),
        f"Base recipe `{data['base']}` ({', '.join(data['modalities'])}), {seeds} seed{'s' if seeds > 1 else ''}; "
        f"test: {test['utterances']:,} utterances in {test['conversations']} conversations. A variant is the base "
        "recipe with one setting changed, trained with the same seeds; its epoch is chosen on dev, and it is tested "
        "once.",
        *(f"Left out: {', '.join(names)}: {reason}." for reason, names in skipped.items()),
    ]
    again = [name for name, times in data["tested"].items() if times > 1]
    if again:
        lines.append(f"Tested more than once: {', '.join(again)}.")
    return "\n\n".join(lines)


def _from_a_paper(found: Sequence[dict[str, Any]]) -> bool:
    """Whether all claims of experiments are a paper's, none ours."""
    return all(c["source"] != "ours" for data in found for c in data["claims"])


def _opening(found: Sequence[dict[str, Any]]) -> str:
    if not _from_a_paper(found):
        return "What each corpus says about the claims. "
    return (
        "What each corpus says about the paper's claims. Small encoders, not the paper's: a verdict is about these "
        "recipes. "
    )


def _claims(data: dict[str, Any]) -> str:
    if not data["claims"]:
        return ""
    titles = {v["name"]: v["title"] for v in data["variants"]}
    rows = []
    for c in data["claims"]:
        cells = [c["statement"], c["source"], f"**{c['verdict']}**"]
        if "p" in c:
            unit = UNITS[c["unit"]]
            low, high = c["interval"]
            digits = unit.shown
            cells += [
                " against ".join(
                    f"{titles.get(c[s]['name'], c[s]['name'])} ({c[s]['value']:.{digits}f})"
                    for s in ("better", "worse")
                ),
                f"{signed(c['difference'], digits)}{unit.mark} ({signed(low, digits)} to {signed(high, digits)})",
                _p(c["p_holm"]),
            ]
        else:
            cells += [c["reason"], "", ""]
        rows.append(cells)
    count = {v: sum(c["verdict"] == v for c in data["claims"]) for c in data["claims"] for v in (c["verdict"],)}
    measure = _measure(data)
    unit = measure.unit
    widths = [c["interval"][1] - c["interval"][0] for c in data["claims"] if c.get("unit") == unit.name]
    blind = ""
    if widths:
        blind = (
            f"{measure.reading} A difference of less than about {np.median(widths) / 2:.{unit.shown}f}{unit.mark} "
            "cannot be told from chance on this test set (half the median width of the intervals)."
        )
    return "\n\n".join(
        [
            "## What the paper claims" if _from_a_paper([data]) else "## Claims",
            "; ".join(f"{n} {verdict}" for verdict, n in count.items()) + ".",
            _table(("claim", "source", "here", "compared", "difference (95 % interval)", "p, corrected"), rows),
            f"{data['method']}{blind}",
        ]
    )


def _sweeps(data: dict[str, Any], pictures: str) -> Iterator[str]:
    groups = [g for g in data["sweeps"] if any(v["group"] == g and "test" in v for v in data["variants"])]
    if not groups:
        return
    yield f"## Sweeps\n\n![scores over the values of each sweep]({pictures}/sweeps.png)"
    for name in groups:
        sweep = data["sweeps"][name]
        head = f"**{sweep['title']}** (`{sweep['setting']}`; paper: {sweep['source']})"
        yield f"{head}\n\n{_variants(data, name, sweep['symbol'])}"


def _structure(data: dict[str, Any], pictures: str) -> str:
    lines = ["## Structure and losses", _variants(data, "structure", "variant")] if _ran(data, "structure") else []
    if any("versus_base" in v for v in data["variants"]):
        lines += ["## All differences", f"![difference of every variant to the base]({pictures}/differences.png)"]
    return "\n\n".join(lines)


def _ran(data: dict[str, Any], group: str) -> list[dict[str, Any]]:
    return [v for v in data["variants"] if v["group"] == group and "test" in v]


def _variants(data: dict[str, Any], group: str, what: str) -> str:
    rows = []
    measure = _measure(data)
    base = [v for v in data["variants"] if v["name"] == "base"] if group == "structure" else []
    for v in [*base, *_ran(data, group)]:
        title = f"{v['value']:g}" if v["value"] is not None else v["title"]
        shared = " (base)" if v["run"] == "base" and v["name"] != "base" else ""
        both = [_spread(v[part], measure) for part in ("dev", "test")]
        rows.append([f"{title}{shared}", *both, *_versus(v.get("versus_base"), measure)])
    columns = (f"dev{measure.column}", f"test{measure.column}")
    return _table((what, *columns, f"difference to the base{measure.better} (95 % interval)", "p"), rows)


def _versus(found: dict[str, Any] | None, measure: HeadlineMetric) -> tuple[str, str]:
    if found is None:
        return "", ""
    middle, low, high = (signed(x, measure.unit.shown) for x in (found["difference"], *found["interval"]))
    return f"{middle} ({low} to {high})", _p(found["p"])


def _voices(data: dict[str, Any], pictures: str) -> str:
    if not data["voices"]:
        return ""
    m = _measure(data)
    rows = [[v["name"], _spread(v["test"], m), *_versus(v.get("versus_mixture"), m)] for v in data["voices"]]
    together = words_of(data).together
    return "\n\n".join(
        [
            "## Experts and mixture",
            f"From the predictions of the base runs, nothing is trained anew. {together} out an expert whose modality "
            "is missing.",
            f"![one expert, all of them, the mixture]({pictures}/voices.png)",
            _table(
                ("who answers", f"test{m.column}", f"difference to the mixture{m.better} (95 % interval)", "p"), rows
            ),
        ]
    )


def _gate(data: dict[str, Any], pictures: str) -> str:
    if not data["gate"]:
        return ""
    experts = data["experts"]
    gate = data["gate"]
    many = len(data["seeds"]) > 1
    every = [f"{gate['mean'][e]:.2f}" + (f" ± {gate['sd'][e]:.2f}" if many else "") for e in experts]
    words = words_of(data)
    rows = [[f"**{words.all_of}**", *every]]
    rows += [[name, *(f"{row[e]:.2f}" for e in experts)] for name, row in words.gate_rows(gate).items()]
    return "\n\n".join(
        [
            "## Gate weights",
            f"![mean gate weight of each expert by {words.by}]({pictures}/gate-weights.png)",
            _table((words.truth, *experts), rows),
        ]
    )


def _classes(data: dict[str, Any], pictures: str) -> str:
    measure = _measure(data)
    rows = [[label, f"{row['support']:,}", _spread(row["f1"], measure)] for label, row in data["per_class"].items()]
    return "\n\n".join(
        [
            "## Classes",
            _table(("class", "utterances", "F1"), rows),
            f"![F1 by class]({pictures}/per-class-f1.png)",
            f"![confusion of the base runs]({pictures}/confusion.png)",
        ]
    )


SECTIONS = {"classes": _classes}
"""Those that the words of a task name."""


def _case(data: dict[str, Any], pictures: str) -> str:
    case = data["case"]
    if not case:
        return ""
    experts = data["experts"]
    words = words_of(data)
    truth, shown = words.key, words.shown
    rows = []
    for u in case["utterances"]:
        said = [shown(x, u[truth]) for x in (u[truth], u["mixture"], *(u["experts"][e] for e in experts))]
        rows.append([f"`{u['id']}`", *said, *(f"{u['weights'][e]:.2f}" for e in experts)])
    columns = ("utterance", truth, "mixture", *(f"{e} says" for e in experts), *(f"weight {e}" for e in experts))
    return "\n\n".join(
        [
            "## One conversation",
            f"{case['rule']} Here `{case['conversation']}`, seed {case['seed']}: {words.apart(case['disagreement'])}",
            f"![{truth}s, answers and gate weights along the conversation]({pictures}/case.png)",
            _table(columns, rows),
        ]
    )


def _foot(data: dict[str, Any]) -> str:
    p = data["provenance"]
    made = f"Moodline {p['moodline']}" + (f" at {p['commit']}" if p["commit"] else "")
    seeds = len(data["seeds"])
    command = f"moodline experiment {data['experiment']} --corpus {data['corpus']} --base {data['base']} --data DIR"
    return "\n\n".join(
        [
            "## Make it again",
            f"```sh\n{command} --seeds {seeds} --publish results\nmake docs\n```",
            f"Numbers are {_measure(data).numbers}, mean ± sd over seeds, unless they say otherwise. {made}, PyTorch "
            f"{p['libraries']['torch']}, {p['machine']}, {p['date']}. All numbers, also of each seed: `{FILE}`.",
        ]
    )


def overview(found: Sequence[dict[str, Any]]) -> str:
    """The page that sets the corpora side by side: verdicts and gate weights.

    Args:
        found: experiments of the same name, one for each corpus and task.
    """
    first = found[0]
    corpora = [result_name(data["corpus"], task_in(data).key) for data in found]
    links = [f"[{place}]({page_name(data)})" for place, data in zip(corpora, found, strict=True)]
    errors = any(_measure(data).direction for data in found)
    claims = {c["name"]: c for data in found for c in data["claims"]}
    verdicts = [{c["name"]: c for c in data["claims"]} for data in found]
    rows = [
        [claim["statement"], claim["source"], *(_verdict(of.get(name)) for of in verdicts)]
        for name, claim in claims.items()
    ]
    scores = []
    for link, data in zip(links, found, strict=True):
        base = next(v for v in data["variants"] if v["name"] == "base")
        weights = ", ".join(f"{e} {w:.2f}" for e, w in data["gate"]["mean"].items()) if data["gate"] else "one expert"
        test = _spread(base["test"], _measure(data)) + _measure(data).column
        scores.append([link, f"`{data['base']}`", str(len(data["seeds"])), test, weights])
    return (
        "\n\n".join(
            [
                f"# {first['title']}",
                MADE.format(source=FILE + " of " + ", ".join(corpora)),
                _opening(found)
                + "A difference in brackets is in points of weighted F1, or F1 of the class, or in gate "
                "weight" + (", or of scores in mean absolute error (MAE), below 0 for the claim." if errors else "."),
                _table(("claim", "source", *links), rows),
                "## Base recipes and gate weights",
                _table(
                    (
                        "corpus",
                        "base recipe",
                        "seeds",
                        "test weighted F1" + (", of scores MAE" if errors else ""),
                        "mean gate weights",
                    ),
                    scores,
                ),
            ]
        )
        + "\n"
    )


def _verdict(claim: dict[str, Any] | None) -> str:
    if claim is None:
        return ""
    if "p" not in claim:
        return claim["verdict"]
    return f"{claim['verdict']} ({signed(claim['difference'], UNITS[claim['unit']].shown)})"


def _spread(numbers: dict[str, Any], measure: HeadlineMetric) -> str:
    digits = measure.unit.shown
    return f"{numbers['mean']:.{digits}f}" + (f" ± {numbers['sd']:.{digits}f}" if len(numbers["seeds"]) > 1 else "")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
