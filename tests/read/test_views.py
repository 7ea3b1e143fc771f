"""Views: what is kept of passages between recalls is bounded, and never another passage's."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import UTC, datetime

from agentmem.contracts import StoredPassage
from agentmem.read.views import Views


def turn(key: int, content: str) -> StoredPassage:
    return StoredPassage(
        key=key,
        owner="event",
        owner_id=f"e{key}",
        session="s1",
        seq=key,
        speaker="Alice",
        content=content,
        span=None,
        kind="event",
        at=datetime(2023, 5, 8, tzinfo=UTC),
        source_ids=(f"e{key}",),
    )


def test_a_view_is_made_once() -> None:
    views = Views()

    (first,) = views.of([turn(1, "A cat.")])
    # a passage's text never changes, so only a view that was kept can tell of a cat
    (second,) = views.of([turn(1, "A dog.")])

    assert first == second


def test_kept_views_are_nothing_to_the_garbage_collector() -> None:
    views = Views()

    views.of([turn(1, "A cat."), turn(2, "Two cats.")])
    # a tuple is let go once all in it were
    gc.collect()
    gc.collect()

    assert not any(gc.is_tracked(kept) for kept in views._kept.values())


def test_no_more_views_are_kept_than_said() -> None:
    views = Views(most=2)

    found = views.of([turn(1, "One cat."), turn(2, "Two cats."), turn(3, "Three cats.")])

    assert [view.lower for view in found] == ["one cat.", "two cats.", "three cats."]
    assert len(views) == 2


def test_what_was_not_seen_for_longest_goes_first() -> None:
    views = Views(most=2)
    views.of([turn(1, "One cat."), turn(2, "Two cats.")])

    views.of([turn(1, "One cat."), turn(3, "Three cats.")])

    assert list(views._kept) == [1, 3]


def test_a_key_used_by_another_owner_is_not_mistaken_for_it() -> None:
    views = Views()
    views.of([turn(1, "A cat.")])

    (found,) = views.of([replace(turn(1, "A dog."), owner_id="other")])

    assert found.lower == "a dog."


def test_nothing_stays_after_clearing() -> None:
    views = Views()
    views.of([turn(1, "A cat.")])

    views.clear()

    assert len(views) == 0


def test_a_view_counts_what_was_said_and_who_said_it_when() -> None:
    (found,) = Views().of([turn(1, "Cats and a cat.")])

    assert found.said == "cat cat"
    assert found.header == "alic mondai 8 mai 2023"


def test_marks_of_what_is_said_are_found_in_any_script_and_case() -> None:
    plain, accented = Views().of(
        [
            turn(1, "LAST WEEK I met Bob twice. Anna and we left in May 2023. [image: Two cats on Monday]"),
            turn(2, "LAST WEEK I met Zoé twice. Anna and we left in May 2023. [image: Two cats on Monday]"),
        ]
    )

    assert (plain.times, plain.numbers, plain.names, plain.oneself, plain.shows) == (3, True, 2, 2, True)
    assert (accented.times, accented.numbers, accented.names, accented.oneself) == (3, True, 2, 2)
