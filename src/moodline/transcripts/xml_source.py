"""XML of annotation programs, parsed safely: no document types, no entities, one line for what is broken."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source

_DOCTYPE = re.compile(r"<!DOCTYPE(?!\s+[\w.-]+\s*(?:(?:SYSTEM|PUBLIC)\s[^\[>]*)?>)|<!ENTITY", re.IGNORECASE)
_PLAIN_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*>", re.IGNORECASE)


def root_of(source: Source, program: str, *, doctype: bool = False) -> ElementTree.Element:
    """The root of an XML file.

    Args:
        source: the file.
        program: what wrote it, for messages.
        doctype: allow a document type that only names a file (which is not opened).

    Raises:
        TranscriptError: not XML, or with a document type (it could hold entities that grow without bound).
    """
    fix = f"Save it again with {program}."
    if (_DOCTYPE if doctype else re.compile("<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)).search(source.text):
        raise TranscriptError(
            f"{source.path}: expected a file of {program} without a document type",
            "<!DOCTYPE or <!ENTITY",
            "Remove it.",
        )
    text = _PLAIN_DOCTYPE.sub("", source.text, count=1) if doctype else source.text
    try:
        # of a str, the parser ignores the encoding that the file names: it was decoded already
        return ElementTree.fromstring(text.lstrip())
    except ElementTree.ParseError as error:
        raise TranscriptError(f"{source.at(error.position[0])}: broken XML: {error}", fix=fix) from None
    except (ValueError, RecursionError) as error:  # half a character; nested without end
        raise TranscriptError(f"{source.path}: broken XML: {error}", fix=fix) from None


def local(element: ElementTree.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: ElementTree.Element, name: str) -> str | None:
    """An attribute, in whatever namespace."""
    return next((v for k, v in element.attrib.items() if k.rpartition("}")[2] == name), None)
