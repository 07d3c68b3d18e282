"""The table of readers, and finding a corpus under a folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from moodline.core.errors import ConfigError, CorpusError, UnknownNameError
from moodline.core.labels import LABEL_SETS
from moodline.corpora.registry import READERS, describe, read_corpus, reader_options

from .helpers import dump, write_meld


def test_every_reader_is_described() -> None:
    for name in READERS:
        about = describe(name)
        assert about.title
        assert about.licence
        assert all(label in LABEL_SETS for label in [about.labels, *about.other_labels] if label)
        assert (about.language is None) == (name == "house")
        assert isinstance(reader_options(name), dict)
    assert reader_options("meld") == {"labels": "emotion", "action_units": True}
    with pytest.raises(UnknownNameError):
        describe("imocap")


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from moodline.corpora.registry import READERS; "
        "heavy = {'torch', 'pyarrow', 'soundfile', 'safetensors', 'moodline.corpora.meld'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr == b""


def test_the_folder_or_the_one_around_it(tmp_path: Path) -> None:
    write_meld(tmp_path / "data" / "MELD.Raw")
    (tmp_path / "data" / "other").mkdir()
    assert len(read_corpus("meld", tmp_path / "data" / "MELD.Raw").splits) == 3
    assert len(read_corpus("meld", tmp_path / "data", labels="sentiment").labels) == 3
    write_meld(tmp_path / "data" / "meld-2")
    with pytest.raises(CorpusError, match=r"several folders under .*found: MELD\.Raw, meld-2\)\. Pass one of them"):
        read_corpus("meld", tmp_path / "data")


def test_a_pickle_with_any_name(tmp_path: Path) -> None:
    dump(tmp_path / "some.pkl", (1, 2))
    with pytest.raises(CorpusError, match="has no known layout"):
        read_corpus("iemocap", tmp_path)
    with pytest.raises(CorpusError, match="has no known layout"):
        read_corpus("iemocap", tmp_path / "some.pkl")


def test_bad_requests(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown corpus 'imocap'. Did you mean iemocap"):
        read_corpus("imocap", tmp_path)
    with pytest.raises(ConfigError, match=r"unknown option 'label'. Known: labels, action_units"):
        read_corpus("meld", tmp_path, label="x")
    with pytest.raises(ConfigError, match=r"unknown option 'x'. Known: none"):
        read_corpus("emorynlp", tmp_path, x=1)
    with pytest.raises(CorpusError, match=r"there is no folder .*none"):
        read_corpus("meld", tmp_path / "none")
    (tmp_path / "notes.txt").write_text("x")


@pytest.mark.parametrize("name", READERS)
def test_wrong_folders(name: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=f"{name}: expected .*found: an empty folder") as error:
        read_corpus(name, tmp_path)
    assert "\n" not in str(error.value)
    for n in range(8):
        (tmp_path / f"notes{n}.txt").write_text("x")
    with pytest.raises(CorpusError, match=r"found: notes0\.txt, .*notes4\.txt and 3 more\)\. Pass"):
        read_corpus(name, tmp_path)
    with pytest.raises(CorpusError, match=r"found: the file notes0\.txt"):
        read_corpus(name, tmp_path / "notes0.txt")
