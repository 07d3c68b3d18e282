"""A second opinion on the language of written words: py3langid, which tells 97 languages apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

SURE, OWN, LEAST_LETTERS = 0.5, 0.01, 20
"""The probability from which the detector is believed, the most that the expected languages may have then, and the
letters that it needs: no dialogue of MELD, EmoryNLP or IEMOCAP is called another language."""

NAMES = {
    "af": "Afrikaans", "az": "Azerbaijani", "bg": "Bulgarian", "bn": "Bengali", "bs": "Bosnian", "ca": "Catalan",
    "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "lt": "Lithuanian",
    "lv": "Latvian", "mk": "Macedonian", "ms": "Malay", "mt": "Maltese", "nb": "Norwegian", "nl": "Dutch",
    "nn": "Norwegian", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "xh": "Xhosa", "zu": "Zulu",
}  # fmt: skip
"""Code to the language's name in English."""


@cache
def _identifier() -> Any:
    """Its model, 4 MB from the package; loading takes a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def other_language(text: str, languages: Sequence[str]) -> str | None:
    """The code of the language of a text, e.g. "tr", if it is surely none of those expected.

    Args:
        text: at least ``LEAST_LETTERS`` letters decide something.
        languages: codes of those expected.
    """
    if sum(map(str.isalpha, text)) < LEAST_LETTERS:
        return None
    ranked = _identifier().rank(text)
    own = sum(p for code, p in ranked if code in languages)
    code, probability = ranked[0]
    return str(code) if code not in languages and probability >= SURE and own <= OWN else None
