"""The same operations on ours and on LangGraph's `InMemoryStore` have the same answers, where its own are right."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agentmem.integrations.langgraph import AgentMemStore
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

LABELS = st.sampled_from(["a", "b", "ab", "*", "a_"])
SPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(["k", "K", "k2"])
PLAIN = st.one_of(st.integers(-3, 3), st.sampled_from(["x", "y", ""]), st.none())
VALUES = st.fixed_dictionaries(
    {}, optional={"n": PLAIN, "tags": st.lists(PLAIN, max_size=2), "in": st.fixed_dictionaries({"n": PLAIN})}
)
# not ordered comparisons: those of its own fail where types differ
FILTERS = st.one_of(
    st.none(),
    st.fixed_dictionaries({}, optional={"n": PLAIN, "in": st.fixed_dictionaries({"n": PLAIN})}),
    st.builds(lambda name, n: {"n": {name: n}}, st.sampled_from(["$eq", "$ne"]), PLAIN),
    st.builds(lambda tags: {"tags": tags}, st.lists(PLAIN, max_size=2)),
)
CONDITIONS = st.lists(
    st.builds(lambda kind, path: MatchCondition(kind, path), st.sampled_from(["prefix", "suffix"]), SPACES),
    max_size=2,
)
OPS = st.one_of(
    st.builds(lambda space, key, value: PutOp(space, key, value), SPACES, KEYS, VALUES | st.none()),
    st.builds(lambda space, key: GetOp(space, key), SPACES, KEYS),
    st.builds(lambda space, wanted: SearchOp(space, wanted, limit=1_000), SPACES | st.just(()), FILTERS),
    st.builds(
        lambda conditions, depth: ListNamespacesOp(tuple(conditions), depth, limit=1_000),
        CONDITIONS,
        st.none() | st.integers(1, 3),
    ),
)
BATCHES = st.lists(st.lists(OPS, max_size=6), max_size=6)


def plain(op: Op, answer: Any, held: set[tuple[str, ...]]) -> Any:
    """An answer without times and order, which differ; `held` are the namespaces that hold something."""
    if isinstance(op, GetOp):
        return None if answer is None else (answer.namespace, answer.key, answer.value)
    if isinstance(op, SearchOp):
        return sorted((item.namespace, item.key, repr(item.value)) for item in answer)
    if isinstance(op, ListNamespacesOp):
        # its own lists namespaces that are empty again
        return [space for space in answer if any(full[: len(space)] == space for full in held)]
    return answer


@given(batches=BATCHES)
def test_every_answer_is_the_same(empty_database: Path, batches: list[list[Op]]) -> None:
    theirs = InMemoryStore()
    with TemporaryDirectory() as folder, AgentMemStore(shutil.copy(empty_database, folder)) as ours:
        for batch in batches:
            held = {item.namespace for item in ours.search((), limit=1_000)}
            ours_said, theirs_said = ours.batch(batch), theirs.batch(batch)

            assert [plain(op, answer, held) for op, answer in zip(batch, ours_said, strict=True)] == [
                plain(op, answer, held) for op, answer in zip(batch, theirs_said, strict=True)
            ]
