"""From bytes to text: UTF-8, UTF-16 and UTF-32 with and without a mark, and older encodings, which are detected.

An encoding without a mark can only be assumed. What was assumed is reported, so that a wrong guess can be corrected
with ``--encoding``.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from moodline.core.errors import ConfigError, TranscriptError

SAMPLE = 1 << 16
"""Bytes of the lines that are not ASCII, which the detector looks at."""

_BOMS = (  # the longer ones first: UTF-32-LE begins like UTF-16-LE
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1252": "Windows-1252 (Western European)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "gb18030": "GB 18030 (Chinese, also GBK and GB 2312)",
    "big5": "Big5 (Chinese)",
    "cp932": "Shift JIS (Japanese)",
    "cp949": "CP949 (Korean)",
}
_LATIN = frozenset(
    (
        "cp1250", "cp1252", "cp1254", "cp1257", "iso8859_10", "hp_roman8", "iso8859_14", "iso8859_3", "mac_latin2",
        "cp775",
    )
)  # fmt: skip
"""What a detector mistakes Western European text for."""

_CENTRAL = frozenset(
    (
        "Polish", "Czech", "Slovak", "Hungarian", "Croatian", "Slovene", "Romanian", "Lithuanian", "Latvian", "Estonian"
    )
)  # fmt: skip
_INSIDE = re.compile("(?<=[a-z])[ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞŽŠŒ‡ˆ‰Š‹‘’“”•–—˜™](?=[a-z]|\\W|$)".replace("’", ""))
"""What Mac Roman's small letters are as Windows-1252: capitals and marks behind small letters."""

_CONTROL = re.compile("[\x00-\x08\x0e-\x14\x16-\x1a\x1c-\x1f]")  # 0x15 marks times in CHAT
_FIX = "Save the file as UTF-8, or name its encoding with --encoding."


@dataclass(frozen=True)
class Decoded:
    """Text of a file, and what was assumed to get it, one sentence each."""

    text: str
    notes: tuple[str, ...] = ()


def decode(data: bytes, name: str, encoding: str | None = None, *, strict: bool = False) -> Decoded:
    """Decode a file's bytes.

    Args:
        data: all of them.
        name: the file, for error messages.
        encoding: a name that Python knows, such as "cp1252"; None to find out.
        strict: refuse a file in which some bytes are no text.

    Raises:
        TranscriptError: the bytes are no text, or not in this encoding.
        ConfigError: there is no such encoding.
    """
    if encoding is not None:
        return Decoded(_named(data, name, encoding))
    marked = next((known for bom, known in _BOMS if data.startswith(bom)), None)
    if marked not in (None, "utf-8-sig"):
        return Decoded(_strictly(data, name, marked or ""))
    if marked is None and (wide := _wide(data)) is not None:
        return Decoded(_strictly(data, name, wide), (f"The file was read as {wide.upper()}, which it does not say.",))
    try:
        return Decoded(_checked(data.decode("utf-8-sig"), name))
    except UnicodeDecodeError as error:
        if b"\x00" in data:
            _checked(data.decode("latin-1"), name)
        nearly = None if strict else _nearly_utf8(data, error.start)
        if nearly is not None:
            return nearly
        if marked:
            raise _refused(data, name, "UTF-8", error) from None
    found = _detected(data)
    if found is None:
        raise _not_text(data, name)
    text = data.decode(found, errors="replace")
    lost = text.count("�")
    if lost and (strict or 20 * lost > sum(map(text.count, set(text) - set(map(chr, range(128)))))):
        raise _not_text(data, name)
    notes = [f"The file is not UTF-8; it was read as {_NAMES.get(found, found)}, which is a guess (see --encoding)."]
    if lost:
        notes.append(f"{lost} characters could not be decoded and stand as �.")
    return Decoded(_checked(text, name), tuple(notes))


def _named(data: bytes, name: str, encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding)
        "".encode(encoding)  # not one from bytes to bytes, such as zip
    except (LookupError, ValueError):
        raise ConfigError(
            "--encoding must name an encoding", f"'{encoding}'", "For example: utf-8, utf-16, cp1252, gbk, shift_jis."
        ) from None
    if codec.name == "utf-8":
        encoding = "utf-8-sig"
    return _strictly(data, name, encoding)


def _strictly(data: bytes, name: str, encoding: str) -> str:
    try:
        return _checked(data.decode(encoding), name)
    except UnicodeDecodeError as error:
        raise _refused(data, name, encoding.removesuffix("-sig").upper(), error) from None
    except UnicodeError as error:  # UTF-16 by name, without a mark or cut off
        raise TranscriptError(f"{name}: expected {encoding.upper()} text: {error}", fix=_FIX) from None


def _refused(data: bytes, name: str, encoding: str, error: UnicodeDecodeError) -> TranscriptError:
    line = data.count(b"\n", 0, error.start) + 1
    found = f"byte 0x{data[error.start]:02x} at offset {error.start}"
    return TranscriptError(f"{name}, line {line}: expected {encoding} text", found, _FIX)


def _not_text(data: bytes, name: str) -> TranscriptError:
    start = next((n for n, byte in enumerate(data) if byte > 127), 0)
    line = data.count(b"\n", 0, start) + 1
    return TranscriptError(
        f"{name}, line {line}: expected text in UTF-8 or another encoding that can be detected",
        f"byte 0x{data[start]:02x} at offset {start}",
        f"{_FIX} Is it a transcript rather than a recording?",
    )


def _checked(text: str, name: str) -> str:
    """The text, if it holds no NUL and few control characters."""
    at = text.find("\x00")
    control = len(_CONTROL.findall(text[:SAMPLE]))
    if at < 0 and 20 * control > min(len(text), SAMPLE):
        at = next(iter(_CONTROL.finditer(text))).start()
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        found = "a NUL byte" if text[at] == "\x00" else f"a control character U+{ord(text[at]):04X}"
        raise TranscriptError(
            f"{name}, line {line}: expected text, this looks like a binary file", found, "Save it as UTF-8 text."
        )
    return text


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by where its zero bytes are; None if it is neither."""
    sample = data[:SAMPLE]
    zeros = [sample[n::4].count(0) for n in range(4)]
    if 20 * sum(zeros) < len(sample) or len(sample) < 4 or len(data) % 2:
        return None
    if len(data) % 4 == 0 and zeros[0] == 0 < min(zeros[1:]) and 8 * zeros[3] > len(sample):
        candidate = "utf-32-le"
    elif len(data) % 4 == 0 and zeros[3] == 0 < min(zeros[:3]) and 8 * zeros[0] > len(sample):
        candidate = "utf-32-be"
    elif zeros[0] + zeros[2] == 0:
        candidate = "utf-16-le"
    elif zeros[1] + zeros[3] == 0:
        candidate = "utf-16-be"
    else:
        return None
    text = sample[: len(sample) // 4 * 4].decode(candidate, errors="replace")
    odd = any(unicodedata.category(c) in ("Cn", "Co", "Cs") for c in set(text[:-1])) or _CONTROL.search(text)
    return candidate if "�" not in text[:-1] and not odd else None


def _nearly_utf8(data: bytes, first: int) -> Decoded | None:
    """UTF-8 with few broken bytes, as where a file was cut; None if it is more likely in another encoding."""
    text = data.decode("utf-8-sig", errors="replace")
    lost = text.count("�") - data.count("�".encode())
    wide = len(text) - len(text.encode("ascii", errors="ignore")) - lost
    cut = lost == 1 and first >= len(data) - 3 and data[first] >= 0xC2 and wide > 0
    if not cut and 4 * lost > wide:
        return None
    if cut:
        return Decoded(text.replace("�", "") if text.endswith("�") else text, ("The file ends within a character.",))
    line = data.count(b"\n", 0, first) + 1
    return Decoded(text, (f"{lost} bytes of the file, the first on line {line}, are not UTF-8; they stand as �.",))


def _detected(data: bytes) -> str | None:
    """The name of an older encoding, from the lines that are not ASCII; None if there is no likely one."""
    from charset_normalizer import from_bytes

    sample = bytearray()
    for line in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*\n?", data):
        sample += line[0][:4096]
        if len(sample) >= SAMPLE:
            break
    matches = from_bytes(bytes(sample))
    best = matches.best()
    if best is None:
        return "cp1252" if _western(bytes(sample)) else None
    high = [byte for byte in sample if byte > 127]
    letters = {byte for byte in high if byte >= 0xC0}
    if best.encoding == "cp1251" and len(high) > 8 and letters and min(letters) >= 0xE0 and max(letters) <= 0xFA:
        return "cp1255"  # Hebrew has no capitals, which Russian has in 0xC0–0xDF
    if best.encoding not in _LATIN and not best.encoding.startswith("mac_"):
        return str(best.encoding)
    text = bytes(sample).decode("cp1252", errors="replace")
    western = _western(bytes(sample))
    mac = best.encoding.startswith("mac_") and not western
    if mac or len(_INSIDE.findall(text)) * 3 > sum(ord(c) > 127 for c in text):
        return str(best.encoding) if best.encoding in ("mac_cyrillic", "mac_greek") and not western else "mac_roman"
    if best.language in _CENTRAL and _is_central(text):
        return str(best.encoding)
    if not western:
        return str(best.encoding)
    if "¤" in text and not any(0x80 <= byte < 0xA0 for byte in sample):
        return "iso8859_15"  # the euro is where other encodings have this mark
    turkish = sum(map(text.count, "ýþðÝÞÐ"))
    return "cp1254" if turkish and not any(c in text for c in "æÆáíúó") else "cp1252"


def _is_central(text: str) -> bool:
    """Whether text of Windows-1250, read as Windows-1252, shows it: by marks that stand for letters (³ for ł)."""
    if any(c in text for c in "³¹¿ðšžŠŽ"):
        return True
    return any(c in text for c in "ìøùõ") and not any(c in text for c in "àç")


def _western(sample: bytes) -> bool:
    """Whether the bytes are letters and marks of Windows-1252 that occur between letters of Western languages."""
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = [c for c in text if ord(c) > 127]
    usual = sum(c.isalpha() or c in "‘’“”„«»‹›…–—•·¡¿°€£§©®™´\xa0½¼¾ªº×²³¤" for c in high)
    letters = sum(c.isascii() and c.isalpha() for c in text)
    return usual == len(high) and letters >= 2 * len(high)
