"""``moodline experiment``: plan, run, show and publish experiments of many runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodline.cli.console import print_json, print_table, stdout
from moodline.core.errors import ConfigError, MoodlineError
from moodline.core.progress import progress_bar

if TYPE_CHECKING:
    from moodline.experiments.ablations.plan import ExperimentPlan


def run_list(json_: bool) -> None:
    """Print the packaged experiments."""
    from moodline.experiments.ablations.plan import experiment_names, load_experiment

    rows = []
    for name in experiment_names():
        found = load_experiment(name)
        rows.append({"name": name, "corpora": list(found.bases), "description": found.description})
    if json_:
        print_json(rows)
        return
    columns = ("name", "corpora", "description")
    print_table("experiments", columns, [(r["name"], ", ".join(r["corpora"]), r["description"]) for r in rows])


def run_pages(published: Path, docs: Path, check: bool) -> None:
    """Write the pages of all published experiments into a docs folder, or fail if one is out of date."""
    from moodline.report.experiment_files import write_docs

    stale = write_docs(published, docs, check)
    if check and stale:
        raise MoodlineError(f"out of date: {', '.join(map(str, stale))}", fix="Run: make docs.")


def run_experiment(
    name: str | None,
    corpus: str | None,
    base: str | None,
    data: Path | None,
    out: Path | None,
    seeds: int,
    only: list[str],
    publish: Path | None,
    dry_run: bool,
    train_only: bool,
    json_: bool,
    quiet: bool,
) -> None:
    """Run all that is not finished, then write ``experiment.json``, the page and the pictures."""
    from moodline.experiments.ablations.plan import make_plan

    if name is None:
        raise ConfigError("expected the name of an experiment", fix="See: moodline experiment --list.")
    plan = make_plan(name, corpus, base, only)
    out = out or Path("runs") / "experiments" / plan.slug / plan.place
    if dry_run:
        _print_plan(plan, out, seeds, json_)
        return
    if train_only and publish is not None:
        raise ConfigError("--train-only leaves nothing to publish", fix="Leave one of --train-only and --publish out.")
    if data is None:
        raise ConfigError("an experiment needs the corpus directory", fix="Give --data DIR.")
    from moodline.core.files import write_json
    from moodline.experiments.ablations.analysis import analyse
    from moodline.experiments.ablations.files import FILE
    from moodline.experiments.ablations.runner import evaluate_all, train_all
    from moodline.report.experiment_files import publish_experiment, write_experiment

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    with progress_bar(quiet or json_) as progress:
        train_all(plan, data, out, range(seeds), say, progress, quiet or json_)
        if train_only:
            say("nothing was tested: run the command again without --train-only when all seeds are trained")
            return
        evaluate_all(plan, data, out, say, progress)
    say("comparing …")
    found = analyse(plan, out, range(seeds))
    write_json(out / FILE, found)
    write_experiment(found, out)
    if publish is not None:
        publish_experiment(out, publish / "experiments" / plan.slug / plan.place)
    if json_:
        print_json(found)
    elif not quiet:
        _print_result(found)
        stdout().print(f"written: {out / FILE}, {out / 'README.md'}, {out / 'plots'}")


def _print_plan(plan: ExperimentPlan, out: Path, seeds: int, json_: bool) -> None:
    from moodline.experiments.ablations.runner import duration, what_is_left

    left = what_is_left(plan, out, range(seeds))
    done = {name: sum(n == name for n, _ in left.finished) for name in plan.runs}
    rows: list[dict[str, Any]] = []
    for v in plan.variants:
        state = v.skipped or (f"shares {v.run}" if v.run != v.name else f"{done[v.name]} of {seeds} seeds trained")
        rows.append({"variant": v.name, "group": v.group, "what": v.title, "state": state})
    seconds = left.seconds if left.missing else 0.0
    if json_:
        print_json(
            {"base": plan.base, "out": str(out), "variants": rows, "models": len(left.missing), "seconds": seconds}
        )
        return
    print_table(f"{plan.name}: {plan.corpus}, base {plan.base}", tuple(rows[0]), [tuple(r.values()) for r in rows])
    time = "nothing to train" if not left.missing else "time unknown, nothing was timed yet"
    stdout().print(
        f"{len(left.missing)} models to train in {len(plan.runs)} runs; {duration(seconds) if seconds else time}"
    )


def _print_result(found: dict[str, Any]) -> None:
    from moodline.evaluation.headline import UNITS
    from moodline.evaluation.tasks import task_in
    from moodline.report.experiment_words import signed

    measure = task_in(found).headline
    digits = measure.unit.digits
    rows = []
    for v in found["variants"]:
        if "skipped" in v:
            rows.append((v["name"], "", "", f"left out: {v['skipped']}"))
            continue
        dev, test = (f"{v[k]['mean']:.{digits}f} ± {v[k]['sd']:.{digits}f}" for k in ("dev", "test"))
        against = v.get("versus_base")
        note = f"{signed(against['difference'], digits)}, p = {against['p']:.4f}" if against else "the base"
        rows.append((v["name"], dev, test, note))
    columns = ("variant", "dev", "test", "against the base")
    print_table(f"{found['title']}: {found['corpus']}, {measure.name}{measure.direction}", columns, rows)
    claims = []
    for c in found["claims"]:
        note = c.get("reason", "")
        if "p" in c:
            note = f"{signed(c['difference'], UNITS[c['unit']].digits)}, corrected p = {c['p_holm']:.4f}"
        claims.append((c["statement"], c["verdict"], note))
    print_table("what the paper claims", ("claim", "here", ""), claims)
