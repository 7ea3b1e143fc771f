"""Ids are in the order of time and never drawn twice."""

from __future__ import annotations

import time
from uuid import RFC_4122, UUID

from agentmem.ids import new_id


def test_an_id_is_a_version_seven_uuid_without_dashes() -> None:
    found = new_id()

    assert len(found) == 32
    assert UUID(found).version == 7
    assert UUID(found).variant == RFC_4122


def test_ids_made_one_after_another_are_in_order_to_a_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    found = [new_id() for _ in range(1000)]
    after = time.time_ns() // 1_000_000

    moments = [int(id_[:12], 16) for id_ in found]
    assert moments == sorted(moments)
    assert before <= moments[0]
    assert moments[-1] <= after


def test_no_id_is_drawn_twice() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000
