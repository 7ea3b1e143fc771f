"""Things attended to beside a cache, put together, are one attention over all their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from agentmem.kv import ops
from agentmem.kv.blocks import attend_both, in_front, local
from agentmem.kv.far import OnHeads, Several, together


@dataclass
class Plain:
    """Keys and values as they are, all of them seen."""

    keys: Tensor
    values: Tensor
    longest: int = 8

    def attend(self, query: Tensor, scaling: float) -> Any:
        return ops.part("Attended")(*local(query, self.keys, self.values, None, scaling))

    def laid_out(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = torch.ones(query.shape[0], self.keys.shape[1], 1, self.keys.shape[2], dtype=torch.bool)
        return self.keys, self.values, seen


def plain(tokens: int, heads: int = 2) -> Plain:
    return Plain(torch.randn(1, heads, tokens, 8), torch.randn(1, heads, tokens, 8))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_several_are_one_softmax_over_all_their_keys() -> None:
    query, one, two = torch.randn(1, 4, 3, 8), plain(5), plain(7)

    found = Several((one, two)).attend(query, 0.3)

    keys, values = torch.cat([one.keys, two.keys], 2), torch.cat([one.values, two.values], 2)
    out, lse = local(query, keys, values, None, 0.3)
    assert torch.allclose(found.out, out, atol=1e-6)
    assert torch.allclose(found.lse, lse, atol=1e-6)


def test_heads_without_the_part_see_only_their_cache() -> None:
    query, part, cache = torch.randn(1, 6, 2, 8), plain(5, heads=1), plain(4, heads=3)
    far = OnHeads(part, torch.tensor([1]), 3)

    out = attend_both(query, cache.keys, cache.values, None, far, 0.3)

    alone = local(query, cache.keys, cache.values, None, 0.3)[0]
    keys, values = (
        torch.cat([getattr(cache, name)[:, 1:2], getattr(part, name)], 2) for name in ("keys", "values")
    )
    assert torch.allclose(out[:, [0, 1, 4, 5]], alone[:, [0, 1, 4, 5]], atol=1e-6)
    assert torch.allclose(out[:, 2:4], local(query[:, 2:4], keys, values, None, 0.3)[0], atol=1e-6)


def test_laid_out_in_front_it_is_the_same_attention() -> None:
    query, cache = torch.randn(1, 6, 2, 8), plain(4, heads=3)
    far = Several((OnHeads(plain(5, heads=1), torch.tensor([2]), 3), plain(3, heads=3)))

    keys, values, seen = in_front(
        cache.keys, cache.values, torch.ones(1, 1, 2, 4, dtype=torch.bool), query, far
    )

    want = attend_both(query, cache.keys, cache.values, None, far, 0.3)
    assert torch.allclose(local(query, keys, values, seen, 0.3)[0], want, atol=1e-6)


def test_together_they_take_as_many_queries_as_the_one_that_takes_fewest() -> None:
    few, many = plain(3), Plain(*(torch.randn(1, 2, 3, 8) for _ in range(2)), longest=100)

    assert Several((many, few)).longest == 8
    assert OnHeads(many, torch.tensor([0]), 2).longest == 100


def test_nothing_and_one_thing_need_no_merging() -> None:
    part = plain(3)

    assert together([None, None]) is None
    assert together([None, part]) is part
