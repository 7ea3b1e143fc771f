"""Which name is another name of whom, with the evidence. A function of the entities there are, and no more.

A first name stands for a full name where only one full name of the namespace begins with it, and either one of
the two speaks here or the short form is a name on its own more than once. Two full names: no alias, for nobody
can tell which is meant.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, insert, select

from . import schema
from .chunks import chunks

A = schema.aliases.c
N = schema.entities.c
_PERSONS = ("speaker", "name")
_MAX_WORDS = 3
_ENOUGH = 2


def refresh(connection: Connection, namespace_pk: int, first_words: Collection[str]) -> None:
    """Decide anew for the entities whose names begin with these words."""
    rows: dict[str, list[Row[Any]]] = {word: [] for word in first_words}
    for chunk in chunks(sorted(first_words)):
        found = connection.execute(
            select(N.pk, N.key, N.first_word, N.words, N.name, N.kind, N.mentions)
            .where(N.namespace_pk == namespace_pk, N.first_word.in_(chunk), N.words <= _MAX_WORDS)
            .order_by(N.pk)
        )
        for row in found:
            rows[row.first_word].append(cast("Row[Any]", row))
    decided = [pair for group in rows.values() if len(group) > 1 and (pair := _pair(group)) is not None]
    shorts = [row.pk for group in rows.values() for row in group if row.words == 1]
    _replace(connection, namespace_pk, shorts, decided)


def _pair(group: Sequence[Row[Any]]) -> tuple[int, int, str] | None:
    """The alias, its entity and the evidence, among the entities whose names begin alike."""
    short = next((row for row in group if row.words == 1 and row.kind in _PERSONS), None)
    longs = [row for row in group if row.words > 1 and row.kind in _PERSONS]
    if short is None or len(longs) != 1:
        return None
    (long,) = longs
    speaks = [row.name for row in (short, long) if row.kind == "speaker"]
    if speaks:
        why = f"{speaks[0]} speaks here"
    elif short.mentions >= _ENOUGH and long.name.replace(" ", "").isalpha() and long.name.istitle():
        why = f"{short.name} is named on its own in {short.mentions} events"
    else:
        return None
    return short.pk, long.pk, f"{long.name} is the only full name here that begins with {short.name}; {why}"


def _replace(
    connection: Connection,
    namespace_pk: int,
    shorts: Sequence[int],
    decided: Sequence[tuple[int, int, str]],
) -> None:
    for chunk in chunks(shorts):
        connection.execute(
            delete(schema.aliases).where(A.namespace_pk == namespace_pk, A.alias_pk.in_(chunk))
        )
    if decided:
        connection.execute(
            insert(schema.aliases),
            [
                {"namespace_pk": namespace_pk, "alias_pk": alias, "entity_pk": entity, "evidence": evidence}
                for alias, entity, evidence in decided
            ],
        )
