"""Words that a model does not know: written ones told by script and small words, heard ones by their recognizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodline.core.conversation import Conversation, Utterance
from moodline.listen.base import Recognized, Samples
from moodline.listen.language import foreign_words
from moodline.listen.listen import listen
from tests.listen.clips import part

GERMAN = ["Ich hasse dich, verschwinde sofort aus meinem Haus!", "Nein, ich gehe nicht, das ist auch mein Haus."]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("German", GERMAN[0]),
        ("French", "Je te déteste, sors de chez moi tout de suite !"),
        ("Spanish", "Te odio, vete de mi casa ahora mismo y no vuelvas."),
        ("Italian", "Ti odio, esci subito da casa mia e non tornare."),
        ("Portuguese", "Eu te odeio, sai da minha casa agora."),
        ("Dutch", "Ik haat je, ga nu weg uit mijn huis."),
        ("Swedish", "Jag hatar dig, gå ut ur mitt hus nu."),
        ("Polish", "Nienawidzę cię, wynoś się natychmiast z mojego domu."),
        ("Turkish", "Senden nefret ediyorum, hemen evimden çık ve bir daha gelme."),
        ("Indonesian", "Aku benci kamu, pergi dari rumahku sekarang juga."),
    ],
)
def test_one_sentence_tells_a_language(name: str, text: str) -> None:
    assert foreign_words([text], ("en",)) == f"probably {name}, not English"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Finnish", "Hei, missä minun pakettini on? Olen odottanut jo kaksi viikkoa ja olen todella vihainen."),
        ("Czech", "Dobrý den, čekám už dva týdny na svůj balík a nikdo mi neodpovídá. To je opravdu hrozné."),
        ("Romanian", "Bună ziua, aștept de două săptămâni și nimeni nu îmi răspunde."),
        ("Hungarian", "Jó napot, két hete várok és senki sem válaszol nekem."),
        ("Vietnamese", "Xin chào, tôi đã đợi hai tuần rồi mà không ai trả lời."),
        ("Swahili", "Habari, nimesubiri kwa wiki mbili na hakuna anayejibu."),
        ("Tagalog", "Kumusta, dalawang linggo na akong naghihintay at walang sumasagot."),
    ],
)
def test_languages_without_a_list_of_small_words_are_detected(name: str, text: str) -> None:
    assert foreign_words([text], ("en",)) == f"probably {name}, not English"


def test_scripts() -> None:
    assert foreign_words(["我恨你，滚出我的房子！"], ("en",)) == "not in Latin script"
    assert foreign_words(["I hate you, go away now"], ("zh",)) == "not in the script of Chinese"
    assert foreign_words(["我恨你，滚出我的房子！OK"], ("zh",)) is None
    assert foreign_words(["我恨你，滚出我的房子！"], ("zh", "en")) is None


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["ja ja", "ja ja", "ja ja"],
        ["lol brb omg gtg", "u r gr8 m8", "idk tbh lmao", "k thx bye"] * 5,
        ["Müller 0800 555", "Schmidt Berlin 17", "Hans Werner"],
        ["1 2 3 4 5 6 7 8 9 10 11 12"] * 9,
        ["la la la la la la la la"],
        ["no no no no no no no no"],
        ["山田太郎 here, hi"],
        ["ok 👍", "¯\\_(ツ)_/¯", "what"],
        ["I told him: je ne sais pas. He did not get what I was saying."],
        ["The Da Vinci man was in Die Zeit and El País"],
    ],
)
def test_slang_names_numbers_and_a_few_words_decide_nothing(texts: list[str]) -> None:
    assert foreign_words(texts, ("en",)) is None


def test_words_of_no_language_are_not_english() -> None:
    words = [
        "zorp",
        "blik",
        "fnar",
        "quexo",
        "plim",
        "drosk",
        "vint",
        "hubbo",
        "skreel",
        "mota",
        "glif",
        "tranx",
        "wubble",
    ]
    text = " ".join(words * 4)
    found = foreign_words([text], ("en",))
    assert found is not None
    assert found.startswith("probably")
    assert found.endswith("not English")


def test_any_words_pass_where_the_languages_are_not_known() -> None:
    for languages in ((), ("xx",), ("xx", "en"), ("de",), ("en", "de")):
        assert foreign_words(GERMAN, languages) is None
    assert foreign_words(["I hate you, leave my house now and do not come back"], ("de",)) == (
        "probably English, not German"
    )


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "folder"), [("meld", "meld"), ("emorynlp", "emorynlp"), ("iemocap", "iemocap-cosmic")]
)
def test_no_english_conversation_is_doubted(name: str, folder: str, data: Path) -> None:
    from moodline.corpora.registry import read_corpus

    talks = [c for split in read_corpus(name, data / folder).splits.values() for c in split]
    assert len(talks) > 100
    for talk in talks:
        texts = [u.text for u in talk if u.text]
        assert foreign_words(texts, ("en",)) is None, talk.id
        assert [t for t in texts if foreign_words([t], ("en",))] == []


# -- with a recording -------------------------------------------------------------------------------------------


class Saying:
    """A recognizer that always hears the same."""

    max_seconds = 12.0

    def __init__(self, text: str, languages: tuple[str, ...] = (), told: str | None = None, sure: float = -0.1) -> None:
        self.id, self.languages, self.heard = (
            f"saying-{told}-{len(languages)}{sure}",
            languages,
            Recognized(text, (), sure, told),
        )

    def transcribe(self, samples: Samples) -> Recognized:
        return self.heard


def given(*texts: str) -> Conversation:
    return Conversation("talk", tuple(Utterance(f"t{n}", "A", n, n + 1, text) for n, text in enumerate(texts)))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return part(tmp_path / "clip.wav", 4.5)


def test_a_transcript_that_the_model_cannot_read_is_only_shown(clip: Path) -> None:
    heard = listen(clip, given(*GERMAN), languages=("en",))
    assert [u.text for u in heard.conversation] == [None, None]
    assert list(heard.texts.values()) == GERMAN
    assert heard.notes == (
        "The transcript is probably German, not English: its words were left out, only the voice was judged.",
    )
    for languages in (("de",), ()):
        heard = listen(clip, given(*GERMAN), languages=languages)
        assert ([u.text for u in heard.conversation], heard.texts, heard.notes) == (GERMAN, {}, ())


def test_recognized_words_go_to_a_model_of_their_language(clip: Path) -> None:
    def words(*languages: str, text: str = GERMAN[0], **options: object) -> tuple[bool, str]:
        options = {"told": "de", **options}
        heard = listen(clip, speakers=1, transcriber=Saying(text, **options), languages=languages)  # type: ignore[arg-type]
        return any(u.text for u in heard.conversation), " ".join(heard.notes)

    assert words("de") == (True, "")
    assert words() == (True, "")
    assert words("en") == (
        False,
        "This is probably not English (de): the words were left out, only the voice was judged.",
    )
    assert words("de", told=None) == (True, "")
    kept, note = words("en", told=None)
    assert not kept
    assert "probably German, not English" in note
    kept, note = words("de", told=None, languages=("en",))
    assert not kept
    assert "not English, which is all that the recognizer knows" in note
    kept, note = words("de", text="So it is, and I know.", told=None, languages=("en",), sure=-0.2)
    assert not kept
    assert "The recognizer writes English, and the model reads German" in note
