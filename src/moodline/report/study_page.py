"""The page of an experiment and the overview of all of them, as Markdown, made from ``experiment.json`` alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodline.errors import StorageError
from moodline.report.atomic import replacing
from moodline.report.study_plots import draw_study, signed
from moodline.studies.files import FILE, find_experiments

MADE_END = "by `make docs`; do not edit -->"
MADE = "<!-- made from {source} " + MADE_END


def study_page(data: dict[str, Any], pictures: str = "plots", source: str = FILE) -> str:
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
        _classes(data, pictures),
        _case(data, pictures),
        _foot(data),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _head(data: dict[str, Any], source: str) -> str:
    test, seeds = data["test"], len(data["seeds"])
    skipped: dict[str, list[str]] = {}
    for v in data["variants"]:
        if "skipped" in v:
            skipped.setdefault(v["skipped"], []).append(f"`{v['name']}`")
    lines = [
        f"# {data['title']}: {data['corpus']}",
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


def _claims(data: dict[str, Any]) -> str:
    if not data["claims"]:
        return ""
    titles = {v["name"]: v["title"] for v in data["variants"]}
    rows = []
    for c in data["claims"]:
        cells = [c["statement"], c["source"], f"**{c['verdict']}**"]
        if "p" in c:
            unit = {"mean gate weight": ""}.get(c["unit"], " points")
            low, high = c["interval"]
            digits = 3 if not unit else 1
            cells += [
                " against ".join(
                    f"{titles.get(c[s]['name'], c[s]['name'])} ({c[s]['value']:.{digits}f})"
                    for s in ("better", "worse")
                ),
                f"{signed(c['difference'], digits)}{unit} ({signed(low, digits)} to {signed(high, digits)})",
                _p(c["p_holm"]),
            ]
        else:
            cells += [c["reason"], "", ""]
        rows.append(cells)
    count = {v: sum(c["verdict"] == v for c in data["claims"]) for c in data["claims"] for v in (c["verdict"],)}
    widths = [c["interval"][1] - c["interval"][0] for c in data["claims"] if c.get("unit") == "points of weighted F1"]
    blind = ""
    if widths:
        blind = (
            f" A difference of less than about {np.median(widths) / 2:.1f} points cannot be told from chance on this "
            "test set (half the median width of the intervals)."
        )
    return "\n\n".join(
        [
            "## What the paper claims",
            "; ".join(f"{n} {verdict}" for verdict, n in count.items()) + ".",
            _table(("claim", "paper", "here", "compared", "difference (95 % interval)", "p, corrected"), rows),
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
    base = [v for v in data["variants"] if v["name"] == "base"] if group == "structure" else []
    for v in [*base, *_ran(data, group)]:
        title = f"{v['value']:g}" if v["value"] is not None else v["title"]
        shared = " (base)" if v["run"] == "base" and v["name"] != "base" else ""
        rows.append([f"{title}{shared}", _spread(v["dev"]), _spread(v["test"]), *_versus(v.get("versus_base"))])
    return _table((what, "dev", "test", "difference to the base (95 % interval)", "p"), rows)


def _versus(found: dict[str, Any] | None) -> tuple[str, str]:
    if found is None:
        return "", ""
    low, high = found["interval"]
    return f"{signed(found['difference'])} ({signed(low)} to {signed(high)})", _p(found["p"])


def _voices(data: dict[str, Any], pictures: str) -> str:
    if not data["voices"]:
        return ""
    rows = [[v["name"], _spread(v["test"]), *_versus(v.get("versus_mixture"))] for v in data["voices"]]
    return "\n\n".join(
        [
            "## Experts and mixture",
            "From the predictions of the base runs, nothing is trained anew. The vote and the average leave out an "
            "expert whose modality is missing.",
            f"![one expert, all of them, the mixture]({pictures}/voices.png)",
            _table(("who answers", "test", "difference to the mixture (95 % interval)", "p"), rows),
        ]
    )


def _gate(data: dict[str, Any], pictures: str) -> str:
    if not data["gate"]:
        return ""
    experts = data["experts"]
    gate = data["gate"]
    many = len(data["seeds"]) > 1
    every = [f"{gate['mean'][e]:.2f}" + (f" ± {gate['sd'][e]:.2f}" if many else "") for e in experts]
    rows = [["**all classes**", *every]]
    rows += [[label, *(f"{row[e]:.2f}" for e in experts)] for label, row in gate["per_class"].items()]
    return "\n\n".join(
        [
            "## Gate weights",
            f"![mean gate weight of each expert by class]({pictures}/gate-weights.png)",
            _table(("true class", *experts), rows),
        ]
    )


def _classes(data: dict[str, Any], pictures: str) -> str:
    rows = [[label, f"{row['support']:,}", _spread(row["f1"])] for label, row in data["per_class"].items()]
    return "\n\n".join(
        [
            "## Classes",
            _table(("class", "utterances", "F1"), rows),
            f"![F1 by class]({pictures}/per-class-f1.png)",
            f"![confusion of the base runs]({pictures}/confusion.png)",
        ]
    )


def _case(data: dict[str, Any], pictures: str) -> str:
    case = data["case"]
    if not case:
        return ""
    experts = data["experts"]
    rows = []
    for u in case["utterances"]:
        said = [_mark(u["experts"][e], u["label"]) for e in experts]
        weights = [f"{u['weights'][e]:.2f}" for e in experts]
        rows.append([f"`{u['id']}`", u["label"], _mark(u["mixture"], u["label"]), *said, *weights])
    columns = ("utterance", "label", "mixture", *(f"{e} says" for e in experts), *(f"weight {e}" for e in experts))
    return "\n\n".join(
        [
            "## One conversation",
            f"{case['rule']} Here `{case['conversation']}`, seed {case['seed']}: they contradict each other in "
            f"{case['disagreement']:.0%}. Wrong answers are in italics.",
            f"![labels, answers and gate weights along the conversation]({pictures}/case.png)",
            _table(columns, rows),
        ]
    )


def _mark(said: str, label: str) -> str:
    return said if said == label else f"*{said}*"


def _foot(data: dict[str, Any]) -> str:
    p = data["provenance"]
    made = f"Moodline {p['moodline']}" + (f" at {p['commit']}" if p["commit"] else "")
    seeds = len(data["seeds"])
    command = f"moodline experiment {data['experiment']} --corpus {data['corpus']} --base {data['base']} --data DIR"
    return "\n\n".join(
        [
            "## Make it again",
            f"```sh\n{command} --seeds {seeds} --publish results\nmake docs\n```",
            f"Numbers are weighted F1 in percent, mean ± sd over seeds, unless they say otherwise. {made}, PyTorch "
            f"{p['libraries']['torch']}, {p['machine']}, {p['date']}. All numbers, also of each seed: `{FILE}`.",
        ]
    )


def overview(found: Sequence[dict[str, Any]]) -> str:
    """The page that sets the corpora side by side: verdicts and gate weights.

    Args:
        found: experiments of the same name, one for each corpus.
    """
    first = found[0]
    corpora = [data["corpus"] for data in found]
    links = [f"[{data['corpus']}]({data['page']}-{data['corpus']}.md)" for data in found]
    claims = {c["name"]: c for data in found for c in data["claims"]}
    verdicts = [{c["name"]: c for c in data["claims"]} for data in found]
    rows = [
        [claim["statement"], claim["source"], *(_verdict(of.get(name)) for of in verdicts)]
        for name, claim in claims.items()
    ]
    scores = []
    for data in found:
        base = next(v for v in data["variants"] if v["name"] == "base")
        weights = ", ".join(f"{e} {w:.2f}" for e, w in data["gate"]["mean"].items()) if data["gate"] else "one expert"
        row = [f"[{data['corpus']}]({data['page']}-{data['corpus']}.md)", f"`{data['base']}`", str(len(data["seeds"]))]
        scores.append([*row, _spread(base["test"]), weights])
    return (
        "\n\n".join(
            [
                f"# {first['title']}",
                MADE.format(source=FILE + " of " + ", ".join(corpora)),
                "What each corpus says about the paper's claims. Small encoders, not the paper's: a verdict is about "
                "these recipes. A difference in brackets is in points of weighted F1, or F1 of the class, or in gate "
                "weight.",
                _table(("claim", "paper", *links), rows),
                "## Base recipes and gate weights",
                _table(("corpus", "base recipe", "seeds", "test weighted F1", "mean gate weights"), scores),
            ]
        )
        + "\n"
    )


def _verdict(claim: dict[str, Any] | None) -> str:
    if claim is None:
        return ""
    if "p" not in claim:
        return claim["verdict"]
    return f"{claim['verdict']} ({signed(claim['difference'], 3 if claim['unit'] == 'mean gate weight' else 1)})"


def _spread(numbers: dict[str, Any]) -> str:
    return f"{numbers['mean']:.1f}" + (f" ± {numbers['sd']:.1f}" if len(numbers["seeds"]) > 1 else "")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# -- files ----------------------------------------------------------------------------------------------------


def write_study(data: dict[str, Any], out: Path) -> None:
    """Write the page and the pictures of an experiment beside its ``experiment.json``."""
    draw_study(data, out / "plots")
    with replacing(out / "README.md") as file:
        file.write(study_page(data).encode())


def publish_study(out: Path, target: Path) -> None:
    """Copy what may be committed (numbers, pictures, the base's recipe; no predictions, no weights) to ``target``."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        plots = [p for p in sorted((out / "plots").iterdir()) if p.suffix in (".svg", ".png")]
        for path in (*plots, out / "runs" / "base" / "recipe.yaml", out / FILE):
            with replacing(target / path.name) as file:
                file.write(path.read_bytes())
    except OSError as error:
        raise StorageError.writing(target, error) from error


def docs_pages(published: Path, docs: Path) -> dict[Path, str]:
    """The pages that a docs folder should hold for all published experiments.

    Args:
        published: a folder with ``experiment.json`` files in it.
        docs: where the pages go.

    Returns:
        path to content: a page for each experiment and corpus, and an overview for each experiment.

    Raises:
        ConfigError: there is no such folder, or a file is broken.
    """
    from os.path import relpath

    pages: dict[Path, str] = {}
    series: dict[str, list[dict[str, Any]]] = {}
    for folder, data in find_experiments(published):
        pictures = Path(relpath(folder, docs)).as_posix()
        source = f"{pictures}/{FILE}"
        pages[docs / f"{data['page']}-{data['corpus']}.md"] = study_page(data, pictures, source)
        series.setdefault(data["page"], []).append(data)
    return pages | {docs / f"{page}.md": overview(found) for page, found in series.items()}


def write_docs(published: Path, docs: Path, check: bool = False) -> list[Path]:
    """Bring the pages of a docs folder up to date.

    Args:
        published: a folder with ``experiment.json`` files in it.
        docs: the folder of the pages; files in it that were not made here are left alone.
        check: change nothing.

    Returns:
        The pages that were out of date: stale, missing, or of an experiment that is no longer published.
    """
    pages = docs_pages(published, docs)
    have = {p: p.read_text(encoding="utf-8") for p in sorted(docs.glob("*.md"))} if docs.is_dir() else {}
    stale = [p for p, text in pages.items() if have.get(p) != text]
    gone = [p for p, text in have.items() if p not in pages and MADE.partition("{")[0] in text and MADE_END in text]
    if not check:
        try:
            docs.mkdir(parents=True, exist_ok=True)
            for path in gone:
                path.unlink()
        except OSError as error:
            raise StorageError.writing(docs, error) from error
        for path in stale:
            with replacing(path) as file:
                file.write(pages[path].encode())
    return [*stale, *gone]
