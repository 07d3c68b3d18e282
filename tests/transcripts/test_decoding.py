"""Encodings: what a file does not say is detected and reported; what is no text is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodline.core.errors import ConfigError, TranscriptError
from moodline.transcripts.read import read_transcript

SAMPLES = [
    ("cp1252", "Luc: That café was awful, wasn’t it?\nZoë: I’d go back tomorrow."),
    ("cp1252", "Luc: Ça va, élève ?\nZoé: Non, c’est « fichu » – voilà."),
    ("cp1252", "Luc: Un élève très zélé.\nZoé: Il a étudié, répété, réussi."),
    ("iso8859_15", "Luc: Cela coûte 5 €, élève.\nZoé: Ah, déjà payé."),
    ("mac_roman", "Luc: That café was awful, déjà vu.\nZoé: The naïve élite."),
    ("cp1250", "Ana: Đino, dođavola, dolazi ovamo.\nIva: Neće da izađe odatle, što čekaš."),
    ("cp1250", "Anna: Dzień dobry, proszę pana.\nPiotr: Zażółć gęślą jaźń."),
    ("cp1252", "Müller: Das hätte ich nie gedacht.\nÖzge: Größe ist alles, heißt es."),
    ("cp1252", "Ana: ¿Qué pasó ayer?\nJosé: Mañana será otro día, señor."),
    ("cp1250", "Jana: Dobrý den, jak se máte?\nJiří: Příliš žluťoučký kůň úpěl ďábelské ódy."),
    ("cp1251", "Анна: Я думала, что всё получится.\nПётр: Нет, я в ярости!"),
    ("koi8-r", "Анна: Я думала, что всё получится.\nПётр: Нет, я в ярости!"),
    ("cp1253", "Ελένη: Καλημέρα, τι κάνεις;\nΝίκος: Είμαι πολύ θυμωμένος."),
    ("cp1254", "Ayşe: Günaydın, nasılsın?\nIşık: Çok öfkeliyim, şimdi gidiyorum."),
    ("cp1255", "שלום, מה שלומך היום?\nאני כועס מאוד, לך הביתה."),
    ("cp1256", "مرحبا، كيف حالك اليوم؟\nأنا غاضب جدا."),
    ("gbk", "安娜：我真的以为它会成功。\n彼得：没有，我很生气！"),
    ("gb18030", "安娜：我真的以为它会成功。\n彼得：没有，我很生气！"),
    ("big5", "安娜：我真的以為它會成功。\n彼得：沒有，我很生氣！"),
    ("shift_jis", "アンナ：本当にうまくいくと思った。\nペール：だめだった、腹が立つ！"),
    ("euc_kr", "안나: 정말 잘 될 줄 알았어요.\n페르: 아니요, 화가 나요!"),
    ("utf-16-le", "Ada: I really thought it worked.\nPer: It did not."),
    ("utf-16-be", "Ada: I really thought it worked.\nPer: It did not."),
    ("utf-16-le", "安娜：我真的以为它会成功。 1\n彼得：没有，我很生气！ 2"),
    ("utf-32-le", "Ada: I really thought it worked.\nPer: It did not."),
    ("utf-32-be", "Ada: I really thought it worked.\nPer: It did not."),
    ("utf-16", "Ada: I really thought it worked.\nPer: It did not."),
]


@pytest.mark.parametrize(("encoding", "text"), SAMPLES)
def test_encodings_are_detected_and_noted(tmp_path: Path, encoding: str, text: str) -> None:
    for name, content in (
        ("talk.txt", text),
        ("talk.srt", "".join(f"1\n00:00:0{n},000 --> 00:00:0{n},500\n{t}\n\n" for n, t in enumerate(text.split("\n")))),
    ):
        path = tmp_path / name
        path.write_bytes(content.encode(encoding))
        (conversation,) = read_transcript(path)
        words = "".join(f"{u.speaker or ''}{u.text}" for u in conversation)
        assert words == "".join(line.replace(": ", "", 1).replace("：", "", 1).strip() for line in text.split("\n"))
        assert bool(conversation.notes) == (encoding != "utf-16")
        (named,) = read_transcript(path, encoding=encoding)
        assert [(u.speaker, u.text) for u in named] == [(u.speaker, u.text) for u in conversation]
        assert named.notes == ()


def test_one_broken_byte_does_not_change_the_others(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    sound = "Zoë: Das hätte ich nie gedacht.\nLuc: café, naïve, déjà vu.\n"
    path.write_bytes(sound.encode() + b"Zo\xc3\xab: so\xe9 it is")
    (conversation,) = read_transcript(path)
    assert [u.text for u in conversation][1:] == ["café, naïve, déjà vu.", "so� it is"]
    assert "the first on line 3" in conversation.notes[0]
    with pytest.raises(TranscriptError, match="expected text"):
        read_transcript(path, strict=True)
    path.write_bytes("Zoë: Das hätte ich nie gedacht, Zoë".encode()[:-1])
    (conversation,) = read_transcript(path)
    assert [u.text for u in conversation] == ["Das hätte ich nie gedacht, Zo"]
    assert "ends within a character" in conversation.notes[0]


def test_unknown_and_wrong_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_bytes(b"caf\xe9")
    for name in ("latin-99", "zip", "rot13"):
        with pytest.raises(ConfigError, match="--encoding must name"):
            read_transcript(path, encoding=name)
    with pytest.raises(TranscriptError, match="expected UTF-8 text"):
        read_transcript(path, encoding="utf-8")
    for data in (bytes(range(1, 256)) * 20, b"\x89PNG\r\n\x1a\n\x00\x01", b"a\x00\x00b" * 9):
        path.write_bytes(data)
        with pytest.raises(TranscriptError, match="expected text"):
            read_transcript(path)


def test_carriage_returns(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    cue = "1\n00:00:01,000 --> 00:00:02,000\nAda: one\ntwo\n\n"
    for end in ("\r\n", "\r\r\n", "\r"):
        path.write_bytes((cue + cue).replace("\n", end).encode())
        assert [u.text for u in read_transcript(path)[0]] == ["one two", "one two"]
