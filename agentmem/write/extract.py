"""Finds who and what a message names, without a model: names, speakers, places, dates, quotations, addresses.

A name is a run of capitalised words. The first word of a sentence is capitalised anyhow, so a lone one there is
only a *weak* mention: it counts where the same name stands elsewhere as a strong one, and is no entity by itself.
Equal names, case, accents and spaces aside, are one entity always. Knows nothing of storage.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime

from agentmem.contracts import EventMentions, FoundMention
from agentmem.terms import STOP_WORDS, fold
from agentmem.types import EntityKind, Event
from agentmem.write.dates import MONTHS, WEEKDAYS, named_dates

# what is not a name although it is capitalised, and what opens sentences
_OPENERS_TEXT = (
    "absolutely actually additionally ah aha also alright although always amazing anyway apparently "
    "awesome aw aww away bet beautiful besides best big bless bravo btw bye can't check cheers clearly "
    "come cool congrats congratulations could couldn't crazy cute damn dear definitely despite did didn't "
    "don't done either else enjoy especially even eventually ever every everyone everything exactly "
    "exciting family fantastic feel finally fine first fun funny generally get gee give glad go god going "
    "gone good goodbye goodness gosh got gotta great guess guys ha haha happy hard have haven't hello "
    "help here's hey hi hmm hold hope hopefully how's however huge i'd i'll i'm i've imagine incredible "
    "indeed instead interesting isn't it'd it'll it's its i just keep kind know last lately later "
    "learning let let's life like listen little lol long look looking lots love lovely lucky luckily man "
    "many may maybe meanwhile might mine moreover most must my need never new next nice nobody none nope "
    "nothing now obviously of oh ok okay once one ooh oops ouch our ours out overall people perfect "
    "perhaps personally please plus possibly pretty probably proud rather read ready really remember "
    "right sadly same say see seeing seems seriously several shall she's since so somebody someone "
    "something sometimes somehow soon sorry sounds speaking still stay strange stuff such super sure "
    "surely surprisingly sweet take talk tell thank thankfully thanks that'd that'll that's there's "
    "therefore they'd they'll they're they've thing things think thinking this those though thus till "
    "time today together tomorrow tonight too totally toward true truly try trying two ugh um "
    "unfortunately unless until use used usually very wait wanna want was wasn't watch way we'd we'll "
    "we're we've welcome well what'd what's whatever whenever where's wherever whether which whoa who's "
    "whoever why's will wish without woah won't wonderful work working would wouldn't wow yay yeah year "
    "yep yes yesterday yet you'd you'll you're you've yup mr mrs ms dr prof user assistant system tool "
    "image "
)
OPENERS = frozenset(_OPENERS_TEXT.split())
_ABBREVIATED_DAYS = frozenset(("mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun"))
_NOT_NAMES = STOP_WORDS | OPENERS | set(MONTHS) | set(WEEKDAYS)
_NEVER = frozenset(
    ("i", "i'm", "i'd", "i'll", "i've", "ok", "okay", *MONTHS, *WEEKDAYS, *_ABBREVIATED_DAYS)
) - {"may"}
# upper-case letters of the scripts that have them; `re` has no class for it
_UPPER = "".join(
    re.escape(chr(code)) for code in range(0x0530) if unicodedata.category(chr(code)) in ("Lu", "Lt")
)
_WORD = rf"[{_UPPER}][\w'’&-]*(?<![-'’&])"
_JOINED = r"(?:(?:of|the|de|la|le|du|van|von|der|da|di|del|al|el|bin|ibn|y)\s+){0,2}"
_RUN = re.compile(rf"(?<![\w@#.])(?:{_WORD})(?:[ \t]+{_JOINED}{_WORD})*")
_POSSESSIVE = re.compile(r"['’]s?$")
_ADDRESS = re.compile(
    r"(?P<url>(?:https?://|www\.)[^\s<>\"')\]]+[^\s<>\"')\].,;:!?])"
    r"|(?P<email>[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+)"
    r"|(?<![\w@.])(?P<handle>@\w[\w-]{1,38})"
)
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{2,60})[\"”]")
_SENTENCE_START = re.compile(r"(?:^|[.!?…:;—–*•>)\]\"”“]\s*|\n[\s\-*\d.)]*)$")
_PLACE = re.compile(
    r"\b(?:in|near|across|visit(?:ed|ing|s)?|(?:mov|travel|trip|fl[eyi]|went|going|goe?s?|drove|driv|mov|back|head)"
    r"\w*\s+to|(?:live|living|born|based|stay\w*)\s+(?:in|at))\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_CONTEXT = 24
# strongest first: what an entity is taken for where its mentions differ
KINDS: tuple[EntityKind, ...] = (
    "speaker", "email", "handle", "url", "date", "place", "quoted", "name", "initial",
)  # fmt: skip
_RANK = {kind: place for place, kind in enumerate(KINDS)}


def entity_key(name: str) -> str:
    """What makes two names one: case, accents, compatibility forms and spaces aside."""
    return " ".join(fold(name).replace("’", "'").split())


def mentions(content: str, *, speaker: str | None, said_at: datetime) -> tuple[FoundMention, ...]:
    """What a message names, each entity once with its strongest kind, in order of first occurrence.

    `speaker` is the name of who says it, or None where only a role is known.
    """
    found: dict[str, FoundMention] = {}
    if speaker is not None and (key := entity_key(speaker)):
        found[key] = FoundMention(key, speaker.strip(), "speaker", -1)
    for mention in _in_text(content, said_at):
        before = found.get(mention.key)
        if before is None:
            found[mention.key] = mention
        elif _RANK[mention.kind] < _RANK[before.kind]:
            found[mention.key] = FoundMention(mention.key, mention.surface, mention.kind, before.start)
    return tuple(sorted(found.values(), key=lambda mention: (mention.start, mention.key)))


def mentions_of(events: Iterable[Event]) -> Iterator[EventMentions]:
    """What each of these events names."""
    for event in events:
        found = mentions(event.content, speaker=event.name, said_at=event.occurred_at)
        yield EventMentions(event.seq, found)


def _in_text(content: str, said_at: datetime) -> Iterator[FoundMention]:
    taken: list[tuple[int, int]] = []
    if "@" in content or "://" in content or "www." in content:
        for match in _ADDRESS.finditer(content):
            kind: EntityKind = "url" if match["url"] else "email" if match["email"] else "handle"
            taken.append(match.span())
            yield _mention(match[0], kind, match.start())
    for found in named_dates(content, said_at):
        taken.append((found.start, found.end))
        yield FoundMention(found.iso.lower(), found.iso, "date", found.start)
    if '"' in content or "“" in content:
        for match in _QUOTED.finditer(content):
            if entity_key(match[1]):
                yield _mention(match[1].strip(" .,!?"), "quoted", match.start(1))
    for match in _RUN.finditer(content):
        start, end = match.span()
        if not any(left < end and start < right for left, right in taken):
            yield from _names(content, start, match[0])


def _names(content: str, start: int, run: str) -> Iterator[FoundMention]:
    """The name in a run of capitalised words; ordinary words that only open the sentence are left out."""
    initial = start == 0 or _SENTENCE_START.search(content, max(0, start - _CONTEXT), start) is not None
    words = run.split()
    dropped = 0
    while words and (words[0].casefold() in (_NOT_NAMES if initial or dropped else _NEVER)):
        dropped += 1
        del words[0]
    while words and words[-1].casefold() in _NEVER:
        del words[-1]
    while words and words[0].islower():
        del words[0]
    if not words:
        return
    name = _POSSESSIVE.sub("", " ".join(words))
    if len(name) < 2 and not name.isupper():
        return
    if name.casefold() in STOP_WORDS:
        return
    kind: EntityKind = "name"
    if initial and not dropped and len(words) == 1 and not (len(name) > 1 and name.isupper()):
        kind = "initial"
    elif not name.isupper() and _PLACE.search(content, max(0, start - _CONTEXT), start) is not None:
        kind = "place"
    yield _mention(name, kind, content.index(words[0], start))


def _mention(name: str, kind: EntityKind, start: int) -> FoundMention:
    return FoundMention(entity_key(name), name, kind, start)
