"""The main lines of CHAT made plain words: marks of the transcriber taken off, what was taken back left out."""

from __future__ import annotations

import re

_NEVER = "\x00"
_EVENT = re.compile(r"&=[^\s\]>]+|\[=!\s*([^\]]*)\]")
_RETRACED = re.compile(
    r"(?:<(?P<group>[^<>]*)>|(?P<word>[^\s<>\[\]]+))(?:\s*\[(?!/)[^\]]*\])*\s*\[/(?:/{1,2}|-|\?)?\](?:\s*\[x\s*\d+\])?"
)
_MARK = re.compile(r"\[[^\]]*\]")
_OPEN_MARK = re.compile(r"\[[^\]]*$")
_ENDS = (
    (re.compile(r"\+\.\.\.(?=\s|$)"), "…"),
    (re.compile(r"\+\.\.\?"), "…?"),
    (re.compile(r"\+!\?"), "?!"),
    (re.compile(r'\+/{1,2}\?|\+"\?'), "?"),
    (re.compile(r'\+/{1,2}!|\+"!'), "!"),
    (re.compile(r"\+/{1,2}\."), " —"),
    (re.compile(r'\+"/?\.|\+\.'), "."),
    (re.compile(r"(?:^|(?<=\s))\+(?:[<^,+\"≈≋]|\.\.)?(?=\s|$)"), " "),
)
_NO_WORDS = re.compile(
    r"(?:^|(?<=[\s<]))(?:&[-+~*]?[^\s<>]+|0[a-zA-Z]+\S*|\(\.{1,3}\)|\([0-9:]*\.?[0-9]*\.?\)|(?:xxx?|yyy?|www)(?:@\S+)?)(?=[\s>.?!,]|$)"
)
_FORM = re.compile(r"(?<=\w)@[a-z]*(?:[:$][\w+&:]*)*(?=[\s>.?!,]|$)")
_SHORTENED = re.compile(r"\((?=[^\s()]+\))([^\s()]+)\)")
_LONG = re.compile(r"(?<=\w):+")
_SIGNS = re.compile(
    "[\u2191\u2193\u21d7\u21d8\u2197\u2198\u2192\u221e\u2248\u224b\u2308\u2309\u230a\u230b\u2206\u2207\u2051\u00b0\u2581\u2594\u2609\u222c\u03ab\u222e\u02c8\u02cc\u0001-\u0008\u000b-\u001f\u2260\u21ab\u2039\u203a\u3014\u3015\u2219\u1f29\u204e\u25c9\u2021\u201e]"
)
_SPACE = re.compile(r"\s+([,.?!;:…]+)(?=\s|$)")


def plain_words(line: str) -> tuple[str, list[str]]:
    """What is said in a main line, and what else happens in it.

    Left out are retracings (``<the red> [//]``), fillers and fragments (``&-um``, ``&+fr``), pauses, omitted words,
    what could not be understood (``xxx``), and all marks in square brackets; shortened words are completed.

    Args:
        line: without its speaker and its time marks, on one line.

    Returns:
        The words, empty if there are none; and events such as ``&=laughs``.
    """
    events = [m[0] if m[1] is None else f"&={m[1].strip()}" for m in _EVENT.finditer(line)]
    text = _EVENT.sub(" ", line)
    text = _OPEN_MARK.sub(" ", text)
    for _ in range(20):  # retracings within retracings: the inner ones first
        shorter = _RETRACED.sub(" ", _innermost(text))
        if shorter == text:
            break
        text = shorter
    text = _MARK.sub(" ", text)
    for end, instead in _ENDS:
        text = end.sub(instead, text)
    text = _NO_WORDS.sub(" ", text)
    text = _FORM.sub("", text)
    text = _SHORTENED.sub(r"\1", text)
    text = _SIGNS.sub("", text.replace("„", ",").replace("‡", ","))
    text = re.sub(r"[<>]|(?:^|\s)0(?=\s|$)", " ", text)
    text = re.sub(r"(?<=\w)[_+](?=\w)", " ", text)
    text = _LONG.sub("", text)
    text = " ".join(text.split())
    text = _SPACE.sub(r"\1", text)
    text = re.sub(r"^[\s,.?!;:…—]+|(?<=,)\s*,", "", text) if any(c.isalnum() for c in text) else ""
    return text, events


def _innermost(text: str) -> str:
    """Groups that no retracing follows opened, from the inside, so that one that does can be matched."""
    return re.sub(r"<([^<>]*)>(?!(?:\s*\[[^\]]*\])*\s*\[/)", r" \1 ", text)
