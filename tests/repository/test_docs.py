"""README and docs match the software: links, commands, settings, code, tables.

``python -m tests.repository.test_docs`` writes the sample output into the quick start again.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from moodline.cli.app import app
from moodline.corpora.registry import READERS, reader_options
from moodline.encoders.settings import FinetuneConfig
from moodline.experiments.ablations.plan import experiment_names
from moodline.experiments.search.space import Axis
from moodline.models.egmf import EgmfConfig
from moodline.models.mister_e import MisterEConfig
from moodline.models.registry import DEFAULT_MODEL, pretrained_directory
from moodline.models.sure import SureConfig
from moodline.pipeline.recipe import Recipe, load_recipe, parse, recipe_names
from moodline.report.experiment_files import write_docs
from moodline.report.results import END, collect_results, insert_table, markdown_table
from moodline.report.short_table import SHORT_BEGIN, SHORT_END, short_table
from moodline.training.settings import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
TEXTS = (".py", ".md", ".yaml", ".yml", ".toml", ".json", ".txt", ".cff", ".srt", ".csv", ".svg", "")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAMPLE = "src/moodline/samples/team_meeting.csv"
SAMPLE_BEGIN, SAMPLE_END = (
    "<!-- sample: begin (made by `python -m tests.repository.test_docs`) -->",
    "<!-- sample: end -->",
)
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page in one of some languages."""
    return [code for language, code in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words behind ``moodline`` of every command in a page's shell blocks."""
    for code in blocks(page, "sh", "bash", "console"):
        for line in code.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part.removeprefix("$ "), comments=True)
                for n, word in enumerate(words):
                    if word == "moodline" or word.endswith("/moodline"):
                        if n == 0 or words[n - 1] == "-m":
                            yield words[n + 1 :]
                        break


def inline_commands(page: Path) -> Iterator[list[str]]:
    """The same for ``moodline …`` in running text; these may be cut short."""
    for code in re.findall(r"`moodline ([^`]+)`", prose(page)):
        yield shlex.split(code)


def headings(page: Path, level: str = "#+") -> list[str]:
    """The anchors of a page in order, as GitHub makes them; ``level`` is an expression for the signs before them."""
    titles = re.findall(rf"^{level} (.+)$", prose(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles]


def test_the_index_of_how_to_names_every_section_in_order() -> None:
    folder = ROOT / "docs" / "how-to"
    linked = re.findall(r"\]\(how-to/([\w-]+\.md)#([^)]+)\)", prose(ROOT / "docs" / "how-to.md"))
    pages = list(dict.fromkeys(name for name, _ in linked))
    assert {*pages, "large-encoders.md"} == {p.name for p in folder.glob("*.md")}
    assert linked == [(name, anchor) for name in pages for anchor in headings(folder / name, "##")]
    for name in pages:
        index = prose(folder / name).partition("\n## ")[0]
        assert re.findall(r"\]\(#([^)]+)\)", index) == headings(folder / name, "##"), name


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in headings(place), f"{page.name}: {target}"


@every_page
def test_commands_parse(page: Path) -> None:
    """Every command line is accepted by the command line itself, down to corpora, recipes and settings."""
    for name, *words in command_lines(page):
        if name.startswith("-"):
            continue
        assert name in COMMANDS, f"{page.name}: moodline {name}"
        try:
            given = COMMANDS[name].make_context(name, list(words)).params
        except Exception as error:
            pytest.fail(f"{page.name}: moodline {shlex.join([name, *words])}: {error}")
        check_values(given, f"{page.name}: moodline {shlex.join([name, *words])}")


def check_values(given: dict[str, Any], where: str) -> None:
    """Names of corpora, recipes, options and settings in a command."""
    if given.get("corpus"):
        assert given["corpus"] in READERS, where
        for option in given.get("option") or ():
            assert option.partition("=")[0] in reader_options(given["corpus"]), where
    recipe = given.get("recipe") or (given.get("source") if "corpus" not in given else None)
    if isinstance(recipe, str) and "settings" in given and recipe.startswith(("mister-e/", "sure/", "linear/")):
        load_recipe(recipe, list(given["settings"] or ()))


@every_page
def test_commands_in_running_text_exist(page: Path) -> None:
    for name, *words in inline_commands(page):
        if name.startswith("-") or name.isupper():
            continue
        assert name in COMMANDS, f"{page.name}: moodline {name}"
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
        for word in words:
            assert not word.startswith("-") or word in known, f"{page.name}: moodline {name} {word}"


@every_page
def test_names_exist(page: Path) -> None:
    """Recipes, settings of recipes, make targets, corpus options in the text."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:mister-e|sure|egmf|linear|encoders)/(?![\w-]*\.)[\w-]+(?![\w/-])", text):
        assert name in (*recipe_names(), *experiment_names()), f"{page.name}: {name}"
    fields = {"model": (MisterEConfig, SureConfig, EgmfConfig), "training": (TrainConfig,)}
    fields["finetune.model"] = (FinetuneConfig,)
    for group, name in re.findall(r"\b(finetune\.model|model|training)\.(\w+)(?==|`)", text):
        if name not in ("py", "yaml", "safetensors"):
            known = {f.name for kind in fields[group] for f in dataclasses.fields(kind)}
            assert name in known, f"{page.name}: {group}.{name}"
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for name in re.findall(r"`make ([\w-]+)", text):
        assert name in targets, f"{page.name}: make {name}"


def test_ablation_table_tells_the_defaults() -> None:
    section = (
        (ROOT / "docs" / "how-to" / "training.md").read_text(encoding="utf-8").partition("## Ablation switches")[2]
    )
    rows = re.findall(r"^\|.*`model\.(\w+)=([\w.]+)` \| (\S+) \|$", section.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) >= 7
    kinds = {f.name: f.default for f in dataclasses.fields(MisterEConfig)}
    for name, value, default in rows:
        assert yaml.safe_load(default) == kinds[name], name
        assert yaml.safe_load(value) != kinds[name], name


def test_option_table_is_complete() -> None:
    page = ROOT / "docs" / "how-to" / "your-data.md"
    text = page.read_text(encoding="utf-8").partition("| corpus | option |")[2]
    rows = re.findall(r"^\| (\w+) \| (`.*?`) \|", text.partition("\n\n")[0], re.MULTILINE)
    told = {(corpus, option) for corpus, cell in rows for option in re.findall(r"`(\w+)`", cell)}
    assert told == {(corpus, option) for corpus in READERS for option in reader_options(corpus)}


@every_page
def test_blocks_are_what_they_claim(page: Path) -> None:
    """JSON parses, whole recipes validate, Python compiles and imports what exists."""
    for code in blocks(page, "json"):
        json.loads(code)
    for code in blocks(page, "yaml"):
        data = yaml.safe_load(code)
        if all("." in key for key in data):  # a space of moodline search
            for key, axis in data.items():
                parse(Axis, axis, f"{page.name}: {key}")
        elif "corpus" in data:
            parse(Recipe, data, page.name)
        else:
            whole = load_recipe("mister-e/meld-minilm")
            head = {"name": "x", "description": "x", "corpus": {"name": "meld"}, "model": whole.model}
            parse(Recipe, {**head, **data}, page.name)
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moodline"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}"), (
                        f"{page.name}: {alias.name}"
                    )


def test_no_path_of_a_machine() -> None:
    """No tracked text names a folder of the machine it was written on."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    places = re.compile("|".join(f"/{name}/" for name in ("work", "root", "home")))
    for name in done.stdout.splitlines():
        path = ROOT / name
        if path.suffix in TEXTS and path.is_file():
            found = places.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{name}: {found}"


def test_results_tables_are_the_files() -> None:
    """The full table in docs/results.md; README has a short one, of at most ten rows."""
    found = collect_results(ROOT / "results")
    assert not insert_table(ROOT / "docs" / "results.md", markdown_table(found), check=True), "run: make docs"
    short = short_table(ROOT / "results")
    assert not insert_table(ROOT / "README.md", short, check=True, markers=(SHORT_BEGIN, SHORT_END)), "run: make docs"
    assert 5 <= len(short.splitlines()) - 2 <= 10


def test_results_are_small_and_every_picture_is_shown() -> None:
    """Below 10 MB; a picture is there only where a page shows it, ``moodline results --plots`` draws the others."""
    files = [p for p in (ROOT / "results").rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files)
    assert size < 10e6, f"results/ has {size / 1e6:.1f} MB"
    shown = set()
    for page in PAGES:
        shown |= {(page.parent / target).resolve() for target in re.findall(r"\]\(([^)\s#]+)", prose(page))}
    kinds = {".json", ".jsonl", ".yaml", ".csv", ".journal"}
    extra = [p for p in files if p.suffix not in kinds and p.resolve() not in shown]
    assert not extra, f"no page shows {', '.join(str(p.relative_to(ROOT)) for p in extra)}"


def test_pages_of_experiments_are_the_files() -> None:
    if list((ROOT / "results").rglob("experiment.json")):
        assert not write_docs(ROOT / "results", ROOT / "docs" / "experiments", check=True), "run: make docs"


def test_published_recipes_are_explained() -> None:
    """docs/results.md says how each row is made again."""
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8").partition(END)[2]
    for path in (ROOT / "results").rglob("results.json"):
        assert f"`{json.loads(path.read_text(encoding='utf-8'))['recipe']}`" in text
    for name in recipe_names():
        assert f"`{name}`" in text, name


def test_model_config_and_train_config_explain_every_field() -> None:
    """The how-to sends readers to these docstrings."""
    for kind in (MisterEConfig, SureConfig, EgmfConfig, TrainConfig):
        body = ast.parse(inspect.getsource(kind)).body[0].body  # type: ignore[attr-defined]
        for n, node in enumerate(body):
            if isinstance(node, ast.AnnAssign):
                follows = body[n + 1]
                assert isinstance(follows, ast.Expr), ast.unparse(node)
                assert isinstance(follows.value, ast.Constant), ast.unparse(node)


# -- the sample output in the quick start ------------------------------------------------------------------------------


def sample_output() -> str:
    """What the quick start's command prints for the sample."""
    command = [sys.executable, "-m", "moodline", "analyze", SAMPLE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def shortened(output: str) -> str:
    """The output with the middle of the table cut out and without the widest margins."""
    lines = [line.rstrip() for line in output.splitlines()]
    ninth = next(n for n, line in enumerate(lines) if re.match(r" *9 ", line))
    last = max(n for n, line in enumerate(lines) if re.match(r" *\d+ ", line))
    return "\n".join([*lines[:ninth], "  …", *lines[last:]])


def words(text: str) -> list[str]:
    """Its words, without bars and percentages, which may differ by a digit between machines."""
    return [w for w in text.split() if not re.fullmatch(r"[━╸╺─]+|\d+%|…", w)]


def model_missing() -> bool:
    directory = pretrained_directory(DEFAULT_MODEL)
    return directory is None or not directory.is_dir()


@pytest.mark.skipif(model_missing(), reason="the packaged model is not there: make model")
def test_sample_in_the_quick_start_is_what_the_command_prints() -> None:
    text = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    shown = text.partition(SAMPLE_BEGIN)[2].partition(SAMPLE_END)[0].replace("```", "")
    assert words(shown) == words(shortened(sample_output())), "run: python -m tests.repository.test_docs"


@pytest.mark.skipif(model_missing(), reason="the packaged model is not there: make model")
def test_json_fields_are_the_documented_ones() -> None:
    from moodline import Recognizer, read_transcript

    (conversation,) = read_transcript(ROOT / SAMPLE)
    answer = Recognizer.load().recognize(conversation).to_dict()
    table = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8").partition("| field | is |")[2]
    cells = re.findall(r"^\| (.*?) \|", table.partition("\n\n")[0], re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert told == set(answer) | set(answer["utterances"][0])


if __name__ == "__main__":
    page = ROOT / "docs" / "quickstart.md"
    head, _, rest = page.read_text(encoding="utf-8").partition(SAMPLE_BEGIN)
    tail = rest.partition(SAMPLE_END)[2]
    shown = shortened(sample_output())
    page.write_text(f"{head}{SAMPLE_BEGIN}\n```\n{shown}\n```\n{SAMPLE_END}{tail}", encoding="utf-8")
