"""Where pages stand: however they come together, each token has the angle of its position."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from agentmem.kv.pages import PAGE
from agentmem.kv.standing import Standing, stand_at

DIM = 16
FREQUENCIES = 10_000.0 ** (-torch.arange(0, DIM, 2) / DIM)
starts = st.lists(st.integers(-200_000, 200_000), min_size=1, max_size=5)


def angles(standing: Standing) -> torch.Tensor:
    """What the tables turn by, one row a token."""
    cos, sin = standing.token_tables()
    return torch.complex(cos[0].double(), sin[0].double())


def exact(positions: list[int]) -> torch.Tensor:
    tokens = torch.tensor([start + at for start in positions for at in range(PAGE)]).double()
    turned = tokens[:, None] * FREQUENCIES.double()
    return torch.complex(turned.cos(), turned.sin())


@given(first=starts, second=starts, spare=st.integers(1, 3))
def test_pages_that_join_stand_where_they_would_at_once(
    first: list[int], second: list[int], spare: int
) -> None:
    one, other = (stand_at(torch.tensor(part), FREQUENCIES, DIM) for part in (first, second))

    joined = one.joined_by(other)
    after = [second[-1] + PAGE * n for n in range(1, spare + 1)]
    roomy = joined.with_room(spare, FREQUENCIES, DIM)

    assert torch.allclose(angles(joined), exact([*first, *second]), atol=1e-6)
    assert torch.allclose(angles(roomy), exact([*first, *second, *after]), atol=1e-6)
    assert torch.allclose(angles(roomy.trimmed()), angles(joined), atol=0)


def test_room_is_filled_in_place_and_the_rest_trimmed() -> None:
    roomy = stand_at(torch.tensor([4, 68]), FREQUENCIES, DIM).with_room(3, FREQUENCIES, DIM)

    filled = roomy.fill(2)

    assert roomy.has_room_at(torch.tensor([132, 196]))
    assert not roomy.has_room_at(torch.tensor([133]))
    assert not roomy.has_room_at(torch.tensor([132, 196, 260, 324]))
    assert filled.lengths is roomy.lengths
    assert filled.lengths.tolist() == [[PAGE, PAGE, PAGE, PAGE, 0]]
    assert filled.filled is not None
    assert filled.filled.tolist() == [4]
    assert filled.trimmed().positions.tolist() == [4, 68, 132, 196]
    assert filled.trimmed().spare == 0


def test_partial_rotary_turns_the_pairs_that_turn_and_no_others() -> None:
    standing = stand_at(torch.tensor([7]), FREQUENCIES[:4], DIM)

    cos, sin = standing.token_tables()

    assert standing.order is not None
    assert cos.shape == (1, PAGE, DIM // 2)
    assert torch.equal(cos[..., 4:], torch.ones_like(cos[..., 4:]))
    assert torch.equal(sin[..., 4:], torch.zeros_like(sin[..., 4:]))
