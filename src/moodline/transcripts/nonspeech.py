"""What stands in a transcript and is no speech: sounds, music, pauses, remarks of who transcribed it.

A whole utterance is none if it is one or more marks in brackets (``[BLANK_AUDIO]``, ``[door slams]``), a song
(``♪ … ♪``), a code for silence or noise (``sil``, ``xxx``, ``<p:>``, ``&=laughs``), or in parentheses or asterisks what
sounds like no sentence (``(laughs)``, ``*applause*``, but not ``(I know)``). Within an utterance only marks that name
a sound are taken out.
"""

from __future__ import annotations

import re

_SOUND = (
    r"applaus\w*|applaud\w*|audience|background|bang\w*|bark\w*|beep\w*|bell\w*|blank[ _]?audio|breath\w*|buzz\w*"
    r"|cheer\w*|chuckl\w*|clap\w*|clear\w*|click\w*|cough\w*|cries|cross[ -]?talk|cry(?:ing)?|exhal\w*|explosion\w*"
    r"|footsteps|gasp\w*|giggl\w*|grunt\w*|gunshots?|groan\w*|growl\w*|hiss\w*|howl\w*|hum(?:s|ming)|inaudible"
    r"|incomprehensible|indistinct\w*|inhal\w*|instrumental|knock\w*|laugh\w*|lacht?|lachen|moan\w*|mumbl\w*|murmur\w*"
    r"|musi[ckq]\w*|m[úu]sica|musique|muziek|muzyka|noise\w*|no (?:audio|speech|sound)|overlap\w*|overtalk\w*|pause\w*"
    r"|phone|pant(?:s|ing)|rires?|ring(?:s|ing)|risas|risos|risate|rustl\w*|scoff\w*|scream\w*|shout(?:s|ing)|shriek\w*"
    r"|sighs?|sighing|silence|sings?|singing|sirens?|slam\w*|snaps?|sneez\w*|sniff\w*|snor(?:es|ing)|snort\w*|sob(?:s|bing)"
    r"|sonido|sound\w*|speaks? (?:in )?(?:foreign|spanish|french|german|italian|japanese|chinese|russian|arabic).*"
    r"|speaking \w+|foreign(?: language)?|static|stammer\w*|stutter\w*|theme|thud\w*|thunder\w*|tsk\w*|typing"
    r"|unintelligible|unclear|vocaliz\w*|wail\w*|weep\w*|whimper\w*|whisper\w*|whistl\w*|wind|yawn\w*|yell(?:s|ing)"
    r"|applausi|aplausos|applaudissements|beifall|gelächter|seufzt|stille|unverständlich|räuspert.*|aplauso|silencio"
    r"|inaudível|inaudibile|incompréhensible|soupirs?|toux|suspira|tose|hustet|pleurs?|musik|laughter|sfx|lau|br|ns"
    r"|音乐|音樂|音楽|笑声|笑聲|笑い?|拍手|掌声|掌聲|음악|웃음|박수|музыка|смех|аплодисменты"
)
_NAMES_SOUND = re.compile(rf"(?:.*[\s,_-])?(?:{_SOUND})(?:[\s,._!…-].*)?", re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\[\]]*)\]|［([^［］]*)］|【([^【】]*)】|<([^<>]{1,40})>|\{([^{}]*)\}")
_PARENTHESES = re.compile(r"\(\(?([^()]*)\)?\)|（([^（）]*)）|\*{1,2}([^*\n]{1,60})\*{1,2}")
_SONG = re.compile(r"[♪♫🎵🎶][^♪♫🎵🎶]*[♪♫🎵🎶]|[♪♫🎵🎶].*|^[^♪♫🎵🎶]*[♪♫🎵🎶]$")
_CODES = re.compile(
    r"(?:<[a-z]{1,3}:>|<p>|<usb>|<(?:sil|eps|unk|spn|noise|nsn|hes|breath)>|sil|SIL|sp|SP|spn|SPN|nsn|NSN|xxx|XXX|yyy|www"
    r"|&=\w[\w:]*|&\*\w+:\S*|\[\.{2,}\]|\(\.{1,3}\)|\([0-9]?\.[0-9]{1,2}\))(?:\s+|$)"
)
_SAY = re.compile(
    r"(?:i|you|he|she|it|we|they|me|him|us|them|this|that|there|what|who|why|how|is|are|was|were|do|does|did|don't|have"
    r"|has|will|can|could|would|should|yes|yeah|yep|no|nope|nah|ok|okay|oh|ah|uh|um|mm|hm+|mhm|mm-?hm+|uh-?huh|right|sure"
    r"|well|so|and|but|please|thanks?|hello|hi|bye|hey|wow|exactly|really|true|fine|good|great|sorry|maybe|never|always|my"
    r"|your|let's|go|come|stop|wait|ja|nein|oui|non|s[íi]|genau|doch|merci|danke)",
    re.IGNORECASE,
)
_OTHER = re.compile(r".*\s[01]\.[0-9]{2}|(?:speaker|spk)[ _-]?[0-9?]+", re.IGNORECASE)  # [joy 0.81], [SPEAKER_00]
_QUICK = re.compile(r"[\[(（［【<{*♪♫🎵🎶&]|^# .* #$")


def sounds_only(text: str) -> bool:
    """Whether an utterance is no speech at all.

    Args:
        text: on one line, without white space at its ends.
    """
    if not _QUICK.search(text):
        return _CODES.fullmatch(text) is not None
    if text.startswith("# ") and text.endswith(" #"):
        return True
    rest = _SONG.sub(" ", text)
    rest = _CODES.sub(" ", rest)
    rest = _BRACKETS.sub(lambda m: " " if _is_mark(m) else m[0], rest)
    rest = _PARENTHESES.sub(lambda m: " " if _is_aside(m) else m[0], rest)
    return rest != text and not any(c.isalnum() for c in rest)


def split_sounds(text: str) -> tuple[str, list[str]]:
    """The words of an utterance, and the marks of sounds that stand between them.

    Args:
        text: on one line.

    Returns:
        The words; empty if there are none. The marks as they stand in the text.
    """
    if not _QUICK.search(text):
        return ("", [text]) if _CODES.fullmatch(text) else (text, [])
    if sounds_only(text):
        return "", [text]
    sounds: list[str] = []

    def out(match: re.Match[str]) -> str:
        inside = next((g for g in match.groups() if g is not None), match[0]).strip()
        if match.re is _SONG or _NAMES_SOUND.fullmatch(inside):
            sounds.append(match[0])
            return " "
        return match[0]

    words = _PARENTHESES.sub(out, _BRACKETS.sub(out, _SONG.sub(out, text)))
    return (" ".join(words.split()), sounds) if sounds else (text, [])


def names_sound(text: str) -> bool:
    """Whether what stands in brackets names a sound (``laughs``, ``door slams``) rather than somebody."""
    return _NAMES_SOUND.fullmatch(text.strip()) is not None


def _is_mark(match: re.Match[str]) -> bool:
    """Whether brackets hold a mark: anything but sentences, which square brackets may quote."""
    inside = next((g for g in match.groups() if g is not None), "").strip()
    if match[0][0] in "<{" or len(inside.split()) > 6:
        return _NAMES_SOUND.fullmatch(inside) is not None
    return inside != "" and not _sentence(inside) and not _OTHER.fullmatch(inside)


def _is_aside(match: re.Match[str]) -> bool:
    inside = next((g for g in match.groups() if g is not None), "").strip()
    if match[0][0] == "*" or len(inside.split()) > 5:
        return _NAMES_SOUND.fullmatch(inside) is not None
    return not _sentence(inside)


def _sentence(inside: str) -> bool:
    """Whether it sounds like something that somebody says."""
    if _NAMES_SOUND.fullmatch(inside):
        return False
    return inside[-1:] in ("?", "!") or any(_SAY.fullmatch(word.strip(".,!?'’")) for word in inside.split())
