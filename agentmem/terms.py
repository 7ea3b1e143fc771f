"""Text to lexical terms: the one analyser that writing and reading share.

Unicode-normalised, case-folded, accents removed, English stop words dropped, Porter-stemmed; scripts written
without spaces (Chinese, Japanese, Thai …) become overlapping pairs of characters. Knows nothing of indexes.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from itertools import chain

import Stemmer

_STOP_TEXT = (
    "a about above after again all am an and any are as at be because been before being below between both but "
    "by can could did do does doing down during each few for from further had has have having he her here hers "
    "him his how i if in into is it its itself just me more most my myself no nor not now of off on once only "
    "or other our ours out over own same she should so some such than that the their theirs them then there "
    "these they this those through to too under until up very was we were what when where which while who whom "
    "why will with would you your yours d ll m re s t ve don"
)
STOP_WORDS = frozenset(_STOP_TEXT.split(" "))
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_UNSPACED_RUN = re.compile(rf"[{_UNSPACED}]")
# letters and digits as they are compared, all else a space: what `_WORD` finds in ASCII, at a tenth of its time
_ASCII = "".join(char.lower() if char.isalnum() else " " for char in map(chr, range(128)))
_MAX_TERM = 40
_MAX_KNOWN = 65_536
_MAX_REMEMBERED = 1000
_local = threading.local()


def _stem(word: str) -> str:
    # a Stemmer object is not safe to share between threads
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:
        stemmer = _local.stemmer = Stemmer.Stemmer("porter")
    stemmed: str = stemmer.stemWord(word)
    return stemmed


class _Known(dict[str, tuple[str, ...]]):
    """The terms of words met before; at this size a least recently used order would cost more than it saves."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        if len(self) >= _MAX_KNOWN:
            self.clear()
        self[word] = found = _terms_of_word(word)
        return found


def _terms_of_word(word: str) -> tuple[str, ...]:
    if _UNSPACED_RUN.match(word):
        return (word,) if len(word) == 1 else tuple(word[i : i + 2] for i in range(len(word) - 1))
    return () if word in STOP_WORDS else (_stem(word)[:_MAX_TERM],)


def fold(text: str) -> str:
    """Case-folded, compatibility-normalised text without combining marks."""
    if text.isascii():
        return text.lower()
    # decomposed before as well: "㎒" has no case of its own, "MHz" has
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in decomposed if unicodedata.category(char)[0] != "M")


_known = _Known()


def terms(text: str) -> tuple[str, ...]:
    """The terms of a text, in order, repeated as often as they occur."""
    return _terms_again(text) if len(text) <= _MAX_REMEMBERED else terms_once(text)


# a message is indexed, then compared with its neighbours, then summarised
@lru_cache(maxsize=2048)
def _terms_again(text: str) -> tuple[str, ...]:
    return terms_once(text)


def drop_texts() -> None:
    """Keep no text that was met before."""
    _terms_again.cache_clear()


def terms_once(text: str) -> tuple[str, ...]:
    """`terms`, for a text that is not met again: it is not remembered, which for a new one takes longer than this."""
    words = text.translate(_ASCII).split() if text.isascii() else _WORD.findall(fold(text))
    return tuple(chain.from_iterable(map(_known.__getitem__, words)))


class Phrase:
    """A name or phrase as it is looked for in texts: whole words, in any case; accents count."""

    def __init__(self, phrase: str) -> None:
        caseless = _caseless(phrase).strip()
        words = r"\s+".join(map(re.escape, caseless.split()))
        # scripts written without spaces have no word ends to ask for
        letter = rf"[^\W{_UNSPACED}]"
        before = rf"(?<!{letter})" if re.match(letter, caseless) else ""
        after = rf"(?!{letter})" if re.search(rf"{letter}\Z", caseless) else ""
        self._pattern = re.compile(before + words + after)

    def occurs_in(self, text: str) -> bool:
        """Whether the text mentions the phrase."""
        return self._pattern.search(_caseless(text)) is not None

    def equals(self, text: str) -> bool:
        """Whether the text is the phrase and nothing else."""
        return self._pattern.fullmatch(_caseless(text).strip()) is not None


def _caseless(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
