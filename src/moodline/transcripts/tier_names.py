"""What the names of tiers say: whose a tier is, and what it holds."""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """What a tier holds."""

    UTTERANCES = "utterances"
    WORDS = "words"
    PARTS = "parts of words"
    TRANSLATION = "translation"
    GESTURES = "gestures"
    NOTES = "notes"
    REFERENCES = "references"
    LABELS = "labels"
    TURNS = "turns without words"
    PARALLEL = "same times as another tier"
    COPY = "copy of another tier"
    POINTS = "points"
    EMPTY = "empty"
    SPEAKERS = "speakers"
    UNKNOWN = "unknown"


# what people, programs and corpora call their tiers; several languages, small letters, without accents
_NAMES: dict[Kind, str] = {
    Kind.WORDS: (
        "word words wrd wrds wort woerter worter mot mots palabra palabras parola parole woord woorden slovo token "
        "tokens tok ort lexeme wordform"
    ),
    Kind.PARTS: (
        "phone phones phoneme phonemes phon phons phn phns phonetic phonetics phonetik phonology phono segment "
        "segments seg segs syllable syllables syl syll sylls sampa xsampa ipa mau kan kanonisch canonical morph "
        "morphs morpheme morphemes morphem mb mor gra gloss glosses glosse glossen gls gl ge gn mot-gls pos ps tag "
        "tags msa lemma lemmas lem stem onset rime onsetrime coda foot feet sylpart tobi tone tones tono tonos break "
        "breaks stress pitch f0 pron pronunciation dictionarypron actualpron vowel vowels vot formant formants "
        "tonicvowel tonicsyllable cv laut laute silbe silben syllabe syllabes wordpos pho xpho prosody intonation "
        "postags postag rx"
    ),
    Kind.TRANSLATION: (
        "translation translations translate translated ft lt fte ftn uebersetzung ubersetzung traduccion traduction "
        "traduzione traducao vertaling oversattning perevod free literal english-translation en-trans freetrans glosa"
    ),
    Kind.GESTURES: (
        "gesture gestures gest gesten geste gestes hand hands gaze head nod nods posture pose action actions movement "
        "movements rgu lgu rgph lgph rgme lgme face facial smile smiles brow brows eye eyes mouth mimik pointing arm "
        "arms body touch lefthand righthand lh rh gestik looking look eyebrow eyebrows eyeshape shoulder shoulders "
        "shrug shrugs trunk cheek cheeks nose lips tongue blickrichtung blick sign signs signing handshape mouthing "
        "mouthings torso legs mimic"
    ),
    Kind.NOTES: (
        "note notes notiz notizen nota notas comment comments com comentario commentaire kommentar remark remarks "
        "code codes coding coder cod tocode context ctx memo todo quality topic topics theme themes thema section "
        "sections chapter scene activity environment background noise noises ruido ruidos bruit gerausch gerausche "
        "geraeusche sound sounds music laughter laugh nonverbal nonvocal nv event events vad sil silence silences "
        "pause pauses addressee xds vcm lex mwu da act acts spa speechact dialogact dialogueact quotation task "
        "condition trial stimulus stimuli range ranges error errors problem style question answer metadata timecode "
        "marker markers bookmark stance stances evaluation alignment affiliation discordance category categories sit "
        "situation phase phases role roles epistemic affective evidence topicality interlocutor party rubbish "
        "experiment commentaires comentarios kommentare bemerkung bemerkungen remarque remarques anmerkung "
        "anmerkungen observacion observaciones observations rmq"
    ),
    Kind.LABELS: (
        "emotion emotions emo sentiment sentiments valence arousal dominance affect mood feeling emotionen gefuhl "
        "emocion"
    ),
    Kind.REFERENCES: ("ref refs rf reference references id ids record recording number segnum seg-num index"),
    Kind.SPEAKERS: (
        "speaker speakers spk spkr talker talkers who sprecher locuteur locuteurs hablante hablantes diarization "
        "diarisation participant participants voice voices"
    ),
    Kind.UTTERANCES: (
        "utterance utterances utt utts text texts txt tx transcript transcripts transcription transcriptions "
        "transkript transkription transcripcion transcripción trascrizione trans trs sentence sentences sent phrase "
        "phrases satz satze speech spch spoken speaking ipu ipus turn turns default orthography orthographic "
        "orthographie ortho orth annotation annotations label labels enunciado enunciados enonce enonces auserung "
        "auserungen aeusserung verbal vocal tier dialogue dialog words-spoken normalized norm verbatim clause clauses "
        "segmento segmentos sats intervention interventions"
    ),
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_ACCENTS = str.maketrans("áàâäãåéèêëíìîïóòôöõúùûüçñß", "aaaaaaeeeeiiiiooooouuuucns")
_PIECE = re.compile(r"[^\W_]+", re.UNICODE)
_PARTED = re.compile(r"\w[\W_]+\w")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PEOPLE = frozenset(str.split("CHI MOT FAT INV GRA GRM GRF SIS BRO EXP PAR AUN UNC TEA STU"))  # as CHAT names them
_AT = re.compile(r"([^@\s-]+)@([^@]+)$")
_EDGE = " \t-–—_@:.|/\\()[]{}"
_NUMBERED = re.compile(r"(?:speaker|spk|participant|channel|tier)\s*[-_]?\s*\d+", re.IGNORECASE)


def split_tier(name: str) -> tuple[str, Kind]:
    """A tier's name as (whose it is, what it holds); empty and ``UNKNOWN`` where it does not say.

    The kind stands at the end (``Ada - words``, ``W-Words``, ``A_ft``) or, with an ``@`` or else, at the beginning
    (``words@Ada``, ``gloss Ada``). A name that is a kind altogether is nobody's.
    """
    at = _AT.search(name.strip())
    if at is not None and (kind := _split(at[1])[1]) is not Kind.UNKNOWN:
        return at[2].strip(), kind
    whose, kind = _split(name.strip())
    if kind is Kind.SPEAKERS and whose:  # "speaker_one", "Speaker Ada"
        return name.strip(), Kind.UNKNOWN
    return whose, kind


def _split(name: str) -> tuple[str, Kind]:
    plain = name if _PARTED.search(name) else _CAMEL.sub(" ", name)
    pieces = list(_PIECE.finditer(plain))
    kinds = [_kind(p[0]) for p in pieces]
    if not any(kinds) or _NUMBERED.fullmatch(name) or pieces[0][0] in _PEOPLE:
        return name, Kind.UNKNOWN
    whole = _kind(re.sub(r"[\W_]+", "", name)) or _kind(name)
    if whole is not None:
        return "", whole
    before = plain[: pieces[-1].start()].strip(_EDGE)
    if kinds[-1] is not None and _NUMBERED.fullmatch(before):
        return before, kinds[-1]
    after = plain[pieces[0].end() :].strip(_EDGE)
    if kinds[0] is not None and _NUMBERED.fullmatch(after):  # "TRANSCRIPTION_Speaker_0001"
        return after, kinds[0]
    if all(k is not None or p[0].isdigit() for k, p in zip(kinds, pieces, strict=True)):
        return "", _strongest([k for k in kinds if k is not None])
    for count in (2, 1):  # a kind of two words, such as "free translation"
        if len(pieces) <= count:
            continue
        if all(kinds[-count:]):
            rest = plain[: pieces[-count].start()].strip(_EDGE)
            glued = len(rest) < 3 and name.startswith(rest + pieces[-count][0])  # "PrWord" is nobody's
            return "" if glued else rest, _strongest([k for k in kinds[-count:] if k])
    first, last = kinds[0], None
    if first is not None and len(pieces) > 1:
        rest = plain[pieces[0].end() :].strip(_EDGE)
        last = kinds[1] if len(kinds) > 1 else None
        if last is not None:  # "phrase-gls-en", "word txt"
            return plain[pieces[1].end() :].strip(_EDGE), _strongest([first, last])
        return rest, first
    inner = [k for k in kinds[1:] if k is not None]
    if inner:  # "A_phrase-gls-en"
        at = next(n for n, k in enumerate(kinds) if k is not None and n)
        return plain[: pieces[at].start()].strip(_EDGE), _strongest(inner)
    return name, Kind.UNKNOWN


def _kind(word: str) -> Kind | None:
    return _KINDS.get(word.lower().translate(_ACCENTS))


def _strongest(kinds: list[Kind]) -> Kind:
    """Of several kinds in one name, the one that matters: "word segments" are parts, "text translation" is one."""
    order = [
        Kind.LABELS,
        Kind.GESTURES,
        Kind.TRANSLATION,
        Kind.NOTES,
        Kind.REFERENCES,
        Kind.PARTS,
        Kind.WORDS,
        Kind.UTTERANCES,
        Kind.SPEAKERS,
    ]
    return next(k for k in order if k in kinds)
