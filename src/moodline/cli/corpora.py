"""``moodline inspect``, ``overlap``, ``convert`` and ``encode``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodline.cli.console import print_json, print_table, stdout
from moodline.core.errors import ConfigError

if TYPE_CHECKING:
    from moodline.corpora.base import Corpus


def parse_options(texts: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` settings; values are YAML."""
    import yaml

    out = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError("--option expects KEY=VALUE", text, "For example: --option xxx_as_happy=true.")
        try:
            out[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(f"--option {key}: the value is not valid YAML", value[:80]) from None
    return out


def run_inspect(name: str, directory: Path, options: list[str], json_: bool) -> None:
    """Read a corpus and print its counts and defects."""
    from moodline.corpora.inspect import summarize
    from moodline.corpora.registry import read_corpus

    summary = summarize(read_corpus(name, directory, **parse_options(options)))
    if json_:
        print_json(summary)
        return
    splits = summary["splits"]
    labels = summary["labels"]["labels"]
    rows: list[tuple[Any, ...]] = [
        ("conversations", *(s["conversations"] for s in splits.values())),
        ("utterances", *(s["utterances"] for s in splits.values())),
        *((label, *(s["labels"].get(label, 0) for s in splits.values())) for label in labels),
        ("unlabelled", *(s["unlabelled"] for s in splits.values())),
    ]
    print_table(f"{summary['name']}: counts", ("", *splits), rows, right=list(splits))
    _print_lengths(summary)
    if summary["features"]:
        rows = [(n, f["dim"], f["utterances"]) for n, f in summary["features"].items()]
        print_table("feature sets", ("name", "size", "utterances"), rows, right=("size", "utterances"))
    if summary["defects"]:
        rows = [(k, d["count"], d["action"], _example(d["examples"][0])) for k, d in summary["defects"].items()]
        print_table("defects", ("what", "count", "action", "for example"), rows, right=("count",))
    else:
        stdout().print("no defects found")


def _example(found: dict[str, str]) -> str:
    return f"{found['where']} ({found['detail']})" if found["detail"] else found["where"]


def _print_lengths(summary: dict[str, Any]) -> None:
    for split, facts in summary["lengths"].items():
        bins = facts["histogram"]
        most = max(1, *bins.values())
        rows = [(span, count, "█" * round(30 * count / most)) for span, count in bins.items()]
        title = (
            f"{split}: utterances in a conversation (min {facts['min']}, median {facts['median']}, max {facts['max']})"
        )
        print_table(title, ("utterances", "conversations", ""), rows, right=("conversations",))


def run_overlap(target: str, auxiliary: str, data: Path, auxiliary_data: Path | None, json_: bool) -> None:
    """Print what two corpora have in common, and what must be left out of the second to be tested on the first."""
    from moodline.corpora.overlap import summarize_overlap
    from moodline.corpora.registry import read_corpus

    first = read_corpus(target, data)
    second = first if (target, auxiliary_data) == (auxiliary, None) else read_corpus(auxiliary, auxiliary_data or data)
    found = summarize_overlap(first, second)
    if json_:
        print_json(found)
        return
    columns = (
        f"{target} split",
        f"{auxiliary} split",
        f"{target} conversations",
        f"{auxiliary} conversations",
        "pairs",
    )
    rows = [tuple(row.values()) for row in found["pairs"]]
    print_table(f"conversations of {target} and {auxiliary} that share dialogue", columns, rows, right=columns[2:])
    heads = ("no dialogue shared with", "conversations", "of", "utterances")
    rows = [(f"{target} {name}", r["conversations"], r["of"], r["utterances"]) for name, r in found["removed"].items()]
    print_table(f"to remove from {auxiliary}", heads, rows, right=heads[1:])
    short = ", ".join(f"{n} of {name}" for name, n in found["too_short"].items())
    stdout().print(f"too few words to be judged: {short} conversations   their ids: --json")


def run_convert(source: Path, out: Path | None, corpus: str | None, options: list[str], json_: bool) -> None:
    """Convert and say what was written."""
    from moodline.annotation.corrected import NAME, convert_corrected
    from moodline.corpora.convert import convert

    if out is None:
        raise ConfigError("convert: expected the new directory", fix="Add --out DIRECTORY.")
    settings = parse_options(options)
    if corpus == NAME or (corpus is None and _corrected(source)):
        unknown = [name for name in settings if name != "labels"]
        if unknown:
            raise ConfigError(f"{NAME}: unknown option '{unknown[0]}'", fix="Known: labels.")
        done = convert_corrected(source, out, **settings)
    else:
        done = convert(source, out, corpus, **settings)
    if json_:
        print_json(done)
    else:
        print_table(f"written: {out}", ("", ""), [(k, v) for k, v in done.items()])


def _corrected(source: Path) -> bool:
    """Whether a source is none of the corpora that are known by their files, but may hold corrected results."""
    from moodline.core.errors import CorpusError
    from moodline.corpora.registry import detect_corpus
    from moodline.transcripts.labelled import FORMATS

    if not source.exists():
        return False
    try:
        detect_corpus(source)
    except CorpusError:
        files = [source] if source.is_file() else source.rglob("*")
        return any(p.suffix.lower().removeprefix(".") in FORMATS for p in files)
    return False


def run_encode(source: str, data: Path, out: Path, json_: bool, quiet: bool) -> None:
    """Encode all splits of a corpus and write them as a house directory."""
    from moodline.core.progress import progress_bar
    from moodline.corpora.convert import check_free, write_house
    from moodline.experiments.encode import encode_corpus

    check_free(out)
    with progress_bar(quiet or json_) as progress:
        corpus = encode_corpus(source, data, progress)
    write_house(corpus, out)
    print_encoded(corpus, out, json_, quiet)


def print_encoded(corpus: Corpus, out: Path, json_: bool, quiet: bool) -> None:
    """Say which feature sets were written."""
    sizes = {
        name: {"utterances": len(rows), "dim": len(next(iter(rows.values())))} for name, rows in corpus.features.items()
    }
    if json_:
        print_json({"out": str(out), "features": sizes})
    elif not quiet:
        rows = [(name, f["dim"], f["utterances"]) for name, f in sizes.items()]
        print_table(f"written: {out}", ("feature set", "size", "utterances"), rows, right=("size", "utterances"))
