"""All commands of ``moodline``. Nothing heavy is imported here, so that ``--help`` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from moodline.cli import many, one, serve
from moodline.cli.options import Data, Json, Options, Quiet, Set, Threads

app = typer.Typer(
    name="moodline",
    help="Read a conversation and say which emotion each utterance carries, how sure that is, and who decided.",
    epilog="Start with: moodline analyze talk.srt",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from moodline import __version__

        typer.echo(f"moodline {__version__}")
        raise typer.Exit


def _use(threads: int | None) -> None:
    """Let networks compute with this many processor threads; None changes nothing."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Moodline's commands."""


app.command(epilog="Examples: moodline analyze call.wav -o moods.json; moodline analyze talk.srt")(one.analyze)
app.command(epilog="Example: moodline check call.wav labels.csv")(one.check)
app.command(
    epilog="Examples: moodline annotate calls/ --out moods; moodline annotate 'calls/*.wav' --out moods --workers 8; "
    "moodline annotate manifest.csv --out moods --shard 3/8"
)(many.annotate)
app.command(epilog="Example: moodline collect moods --by group")(many.collect)
app.command(epilog="Example: moodline cache --clear")(many.cache)
app.command(epilog="Example: moodline serve --port 8000")(serve.serve)


@app.command(epilog="Example: moodline train mister-e/meld-minilm --data meld --seeds 5 --out runs/meld")
def train(
    recipe: Annotated[str, typer.Argument(help="A name of `moodline recipes`, or a YAML file.")],
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run's directory; default runs/RECIPE.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, 2 …")] = 1,
    settings: Set = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Train a recipe, chosen on dev; run it again to resume."""
    _use(threads)
    from moodline.cli.train import run_train

    run_train(recipe, data, out, seeds, settings or [], quiet)


@app.command(epilog="Example: moodline search mister-e/meld-minilm --data meld --space mister-e --trials 20 -o runs/s")
def search(
    recipe: Annotated[str, typer.Argument(help="A name of `moodline recipes`, or a YAML file.")],
    data: Data,
    space: Annotated[str, typer.Option(help="What may change: a packaged space, e.g. mister-e, or a YAML file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The search's directory.")],
    trials: Annotated[int, typer.Option(min=1, help="How many settings to try in all.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds for each setting; their mean counts.")] = 1,
    settings: Set = None,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Search for settings of a recipe on dev; run it again to go on."""
    _use(threads)
    from moodline.cli.search import run_search

    run_search(recipe, data, space, trials, out, seeds, settings or [], quiet)


@app.command(epilog="Examples: moodline evaluate runs/meld -d meld; moodline evaluate runs/meld --on emorynlp -d DIR")
def evaluate(
    run: Annotated[Path, typer.Argument(help="The --out directory of moodline train.")],
    data: Data,
    again: Annotated[bool, typer.Option(help="Test again although there are results; they count it.")] = False,
    publish: Annotated[
        Path | None, typer.Option(help="Also copy results.json and the recipe to DIR/RECIPE.", metavar="DIR")
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="Test on this other corpus, which --data holds; labels are mapped.")
    ] = None,
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Test a run once and write results.json and plots."""
    _use(threads)
    if on is not None:
        from moodline.cli.train import run_transfer

        run_transfer(run, on, data, json_, quiet)
        return
    from moodline.cli.train import run_evaluate

    run_evaluate(run, data, again, publish, json_, quiet)


@app.command(epilog="Example: moodline compare runs/a runs/b")
def compare(
    first: Annotated[Path, typer.Argument(help="An evaluated run, or a file with labels.")],
    second: Annotated[Path, typer.Argument(help="Another one, of the same corpus or conversation.")],
    json_: Json = False,
) -> None:
    """Test whether one run is better than another, or how far the labels of two files agree (Cohen's kappa)."""
    from moodline.cli.train import run_compare

    run_compare(first, second, json_)


@app.command(epilog="Example: moodline experiment mister-e/ablations --corpus mosi --data DIR --seeds 5")
def experiment(
    name: Annotated[str | None, typer.Argument(help="A name of --list, or a YAML file.")] = None,
    corpus: Annotated[str | None, typer.Option(help="The corpus; it says which recipe is varied.")] = None,
    data: Annotated[Path | None, typer.Option("--data", "-d", help="The corpus directory.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default runs/experiments/NAME/CORPUS; resumed if begun.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, 2 …")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="Only this variant or group; may be repeated.")] = None,
    base: Annotated[str | None, typer.Option(help="Vary this recipe instead.", metavar="RECIPE")] = None,
    publish: Annotated[
        Path | None, typer.Option(help="Also copy numbers and pictures to DIR/experiments/NAME/CORPUS.", metavar="DIR")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be run.")] = False,
    train_only: Annotated[
        bool, typer.Option("--train-only", help="Leave the test split alone, until all seeds are trained.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the experiments.")] = False,
    pages: Annotated[
        Path | None, typer.Option(help="Write the pages of all published experiments into this folder.", metavar="DIR")
    ] = None,
    published: Annotated[Path, typer.Option(help="With --pages: where they are published.")] = Path("results"),
    check: Annotated[bool, typer.Option("--check", help="With --pages: change nothing, fail if out of date.")] = False,
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train and test all variants of a recipe, and say which claims of the paper hold; run it again to resume."""
    _use(threads)
    from moodline.cli import experiment as studies

    if list_:
        studies.run_list(json_)
    elif pages is not None:
        studies.run_pages(published, pages, check)
    else:
        studies.run_experiment(
            name, corpus, base, data, out, seeds, only or [], publish, dry_run, train_only, json_, quiet
        )


@app.command("inspect", epilog="Example: moodline inspect meld ../shared/data/meld")
def inspect_(
    corpus: Annotated[str, typer.Argument(help="A name of `moodline corpora`.")],
    directory: Annotated[Path, typer.Argument(help="Where its files are.")],
    option: Options = None,
    json_: Json = False,
) -> None:
    """Count what a corpus holds and list its defects."""
    from moodline.cli.corpora import run_inspect

    run_inspect(corpus, directory, option or [], json_)


@app.command(epilog="Example: moodline overlap meld emorynlp ../shared/data")
def overlap(
    target: Annotated[str, typer.Argument(help="The corpus to test on, a name of `moodline corpora`.")],
    auxiliary: Annotated[str, typer.Argument(help="The corpus to train on too; or the same again.")],
    data: Annotated[Path, typer.Argument(help="The folder that holds both corpora.")],
    auxiliary_data: Annotated[Path | None, typer.Option(help="Where the second lies, if elsewhere.")] = None,
    json_: Json = False,
) -> None:
    """Find the conversations that two corpora of one source have in common."""
    from moodline.cli.corpora import run_overlap

    run_overlap(target, auxiliary, data, auxiliary_data, json_)


@app.command(
    epilog="Examples: moodline convert IEMOCAP_features.pkl house --corpus iemocap; moodline convert corrected house"
)
def convert(
    source: Annotated[Path, typer.Argument(help="A corpus directory, a feature pickle, or corrected results.")],
    target: Annotated[Path | None, typer.Argument(help="The new directory, as --out.", metavar="OUT")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The new directory; must not exist or be empty.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", help="A name of `moodline corpora`, or corrected; guessed if left out.")
    ] = None,
    option: Options = None,
    json_: Json = False,
) -> None:
    """Convert a corpus, a feature pickle, or results that a person corrected, to a house directory."""
    from moodline.cli.corpora import run_convert

    run_convert(source, out or target, corpus, option or [], json_)


@app.command(epilog="Example: moodline finetune text llama-3.1-8b --data meld --dry-run")
def finetune(
    modality: Annotated[Literal["text", "speech"], typer.Argument(help="Which encoder: of text or of speech.")],
    recipe: Annotated[
        str, typer.Argument(help="An encoder recipe of `moodline recipes`, a recipe with finetune, or a YAML file.")
    ],
    data: Data,
    corpus: Annotated[
        str | None, typer.Option(help="A name of `moodline corpora`; told by the files if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run's directory; default runs/RECIPE-CORPUS.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, 2 …")] = 1,
    settings: Set = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would take: parameters, memory, steps, time.")
    ] = False,
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune an encoder on single utterances, chosen on dev (stage 1); run it again to resume."""
    _use(threads)
    if dry_run:
        from moodline.cli.planning import run_dry

        run_dry(modality, recipe, data, corpus, settings or [], json_)
        return
    from moodline.cli.finetune import run_finetune

    run_finetune(modality, recipe, data, corpus, out, seeds, settings or [], json_, quiet)


@app.command(
    epilog="Examples: moodline encode meld MELD meld-features --text runs/llama --speech runs/salmonn; "
    "moodline encode runs/meld/seed-0 meld meld-features"
)
def encode(
    source: Annotated[
        str,
        typer.Argument(
            help="With --text or --speech a name of `moodline corpora`; else a recipe, or the directory of a trained "
            "model (fine-tuned encoders)."
        ),
    ],
    data: Annotated[Path, typer.Argument(help="The corpus directory.")],
    out: Annotated[Path, typer.Argument(help="The new house directory; must not exist or be empty.")],
    text: Annotated[
        str | None, typer.Option(help="A run of moodline finetune text, or an encoder.", metavar="RUN")
    ] = None,
    speech: Annotated[
        str | None, typer.Option(help="A run of moodline finetune speech, or an encoder.", metavar="RUN")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which seed of those runs.")] = 0,
    device: Annotated[
        str, typer.Option(help="With --text or --speech: cpu, cuda …; auto is cuda if there is one, else cpu.")
    ] = "auto",
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Export a corpus with the features that encoders give, as safetensors and JSON: what stage 2 is trained on."""
    _use(threads)
    sources = {m: s for m, s in (("text", text), ("speech", speech)) if s is not None}
    if sources:
        from moodline.cli.finetune import run_encode_with

        run_encode_with(source, data, out, sources, seed, device, json_, quiet)
    else:
        from moodline.cli.corpora import run_encode

        run_encode(source, data, out, json_, quiet)


@app.command()
def corpora(json_: Json = False) -> None:
    """List the corpora that can be read."""
    from moodline.cli.listings import run_list

    run_list("corpora", json_)


@app.command()
def encoders(json_: Json = False) -> None:
    """List the encoders."""
    from moodline.cli.listings import run_list

    run_list("encoders", json_)


@app.command()
def models(json_: Json = False) -> None:
    """List the packaged models and the architectures to train."""
    from moodline.cli.listings import run_list

    run_list("models", json_)


@app.command(epilog="Examples: moodline recipes; moodline recipes mister-e/meld-paper")
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe's values, and where each comes from.")] = None,
    json_: Json = False,
) -> None:
    """List the recipes, or print one with the source of each value."""
    from moodline.cli.listings import run_list, run_recipe

    if name is None:
        run_list("recipes", json_)
    else:
        run_recipe(name, json_)


@app.command()
def formats(json_: Json = False) -> None:
    """List the formats of transcripts and recordings that are read, and of results that are written."""
    from moodline.cli.formats import run_formats

    run_formats(json_)


@app.command()
def doctor(json_: Json = False) -> None:
    """Say what is installed, which device is used, where caches are, and what to do about what is missing."""
    from moodline.cli.doctor import run

    run(json_)


@app.command("results", epilog="Example: moodline results results --write README.md")
def results_(
    directory: Annotated[Path, typer.Argument(help="A folder with results.json files.")] = Path("results"),
    write: Annotated[
        list[Path] | None, typer.Option(help="Put the table between the result markers of a Markdown file.")
    ] = None,
    check: Annotated[bool, typer.Option(help="With --write: change nothing, fail if a file is out of date.")] = False,
    plots: Annotated[Path | None, typer.Option(help="Draw each result's plots into FOLDER/RECIPE.")] = None,
    json_: Json = False,
) -> None:
    """Make the table of all results, and their plots."""
    from moodline.cli.train import run_results

    run_results(directory, write or [], check, plots, json_)
