"""Rows inserted past SQLAlchemy's handling of each: all of them, in order, whatever their number."""

from __future__ import annotations

from itertools import product

import pytest
from agentmem.stores.bulk import insert_rows
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, select

COUNTS = (0, 1, 899, 900, 901, 1_800, 2_000)


@pytest.mark.parametrize(("count", "again"), list(product(COUNTS, (0, 1))))
def test_every_row_goes_in_once_and_in_order(count: int, again: int) -> None:
    numbers = Table("numbers", MetaData(), Column("pk", Integer, primary_key=True), Column("word", Text))
    engine = create_engine("sqlite://")

    with engine.begin() as connection:
        numbers.create(connection)
        insert_rows(connection, numbers, ("word",), [(f"w{n}",) for n in range(count)])
        insert_rows(connection, numbers, ("word", "pk"), [("last", count + 1)] * again)
        found = connection.execute(select(numbers.c.pk, numbers.c.word).order_by(numbers.c.pk)).all()

    assert [tuple(row) for row in found] == [(n + 1, f"w{n}") for n in range(count)] + [
        (count + 1, "last")
    ] * again
    engine.dispose()
