"""One layer's keys and values, with the positions they stand at; knows nothing of why a token is kept.

Slots are in the order of positions, so the tokens of a call are always the last slots. Axes: `B` batch, `H` KV
heads, `T` new tokens, `P` slots held, `D` head dim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from agentmem.errors import ClosedError, InvalidInputError
from agentmem.kv import ops


class KVLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values `[B, H, P, D]`; `positions` `[B, 1 or H, P]` int32; `scores` `[B, 1 or H, P]` fp32 or none.

    The head axis is 1 where all heads keep the same tokens. `seen` counts the tokens that came, kept or not; `notes`
    are a policy's own tensors, batch first. `places`, shaped as `positions`, is there where tokens are rotated to other
    positions than those they came at (`move`), and `next_place` is that of the next token then.
    """

    is_compileable = False
    is_croppable = True

    def __init__(self, window: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.window = window
        self.seen = 0
        self.closed = False
        self.positions: Tensor | None = None
        self.places: Tensor | None = None
        self.next_place: int | None = None
        self.scores: Tensor | None = None
        self.notes: dict[str, Tensor] = {}
        self.turning: tuple[str, ...] = ()
        """Notes `[B, Hq, W, D]` of the last W tokens, rotated as those are: they move with them."""
        self.far: Any = None
        """Where a policy that keeps what leaves the window left it; its tensors are in `notes`."""

    @property
    def is_sliding(self) -> bool:
        """Whether the model itself looks back over a window only in this layer."""
        return self.window is not None

    @property
    def kv(self) -> tuple[Tensor, Tensor]:
        """Keys and values of a layer that has seen tokens."""
        assert self.keys is not None
        assert self.values is not None
        return self.keys, self.values

    @property
    def held(self) -> int:
        """Slots in use."""
        return 0 if self.positions is None else int(self.positions.shape[-1])

    @property
    def end(self) -> int:
        """The position of the next token."""
        return self.seen if self.next_place is None else self.next_place

    @property
    def size_bytes(self) -> int:
        """Bytes of keys, values and bookkeeping."""
        held = (self.keys, self.values, self.positions, self.places, self.scores, *self.notes.values())
        return sum(part.untyped_storage().nbytes() for part in held if part is not None)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Take dtype, device and batch from the first tokens."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.positions = torch.empty(key_states.shape[0], 1, 0, dtype=torch.int32, device=self.device)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append the tokens of a call; what is held together with them is what this call attends to."""
        if self.closed:
            raise ClosedError(
                "this cache's attachment has ended; attach the model again and start a new cache"
            )
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.positions is not None
        new = key_states.shape[2]
        at = torch.arange(self.seen, self.seen + new, dtype=torch.int32, device=self.positions.device)
        at = at.expand(*self.positions.shape[:2], new)
        keys, values = self.kv
        self.keys = torch.cat([keys, key_states], dim=2)
        self.values = torch.cat([values, value_states], dim=2)
        self.positions = torch.cat([self.positions, at], dim=2)
        if self.scores is not None:
            self.scores = torch.nn.functional.pad(self.scores, (0, new))
        if self.next_place is not None:
            self._place(new)
        self.seen += new
        return self.kv

    def _place(self, new: int) -> None:
        """Note where a call's tokens stand; those before them, where they came."""
        assert self.positions is not None
        assert self.next_place is not None
        before = self.positions[:, :, :-new] if self.places is None else self.places
        at = torch.arange(self.next_place, self.next_place + new, dtype=torch.int32, device=before.device)
        self.places = torch.cat([before, at.expand(*before.shape[:2], new)], dim=2)
        self.next_place += new

    def move(self, end: int, inv_freq: Tensor) -> None:
        """Stand what is held at the positions that end before `end`, without gaps, and the next token at `end`.

        Turned in fp32 by angles made in fp64; a token that does not move keeps its bits.
        """
        if self.held and self.positions is not None:
            before = self.positions if self.places is None else self.places
            at = torch.arange(end - self.held, end, dtype=torch.int32, device=before.device)
            self.places = at.expand(before.shape).clone()
            keys, values = self.kv
            batch, heads, held, dim = keys.shape
            by = (self.places - before).expand(batch, heads, held).reshape(-1, held)
            tables = ops.part("rope_tables")(inv_freq, by)
            flat = keys.float().reshape(-1, 1, held, dim).contiguous()
            self.keys = ops.run("rotate", flat, tables.cos, tables.sin).view(keys.shape).to(keys.dtype)
            self.values = values
            for name in self.turning:
                note, by = self.notes[name], torch.tensor([end - self.end], device=keys.device)
                tables = ops.part("rope_tables")(inv_freq, by.expand(1, note.shape[2]))
                turned = ops.run("rotate", note.float().contiguous(), tables.cos, tables.sin)
                self.notes[name] = turned.to(note.dtype)
        self.next_place = end

    def keep(self, slots: Tensor) -> None:
        """Hold only these slots, `[B, 1 or H, M]` ascending, and free the rest."""
        assert self.positions is not None
        self.positions = pick(self.positions, slots)
        self.scores = None if self.scores is None else pick(self.scores, slots)
        self.places = None if self.places is None else pick(self.places, slots)
        keys, values = self.kv
        index = slots.expand(-1, keys.shape[1], -1).to(torch.int32).contiguous()
        self.keys, self.values = ops.run("gather_tokens", keys.contiguous(), values.contiguous(), index)

    def slide(self) -> None:
        """Drop what no later token of a sliding layer can see."""
        if self.window is not None and self.held > self.window - 1:
            assert self.positions is not None
            # copies, so that the storage shrinks
            last = slice(self.held - self.window + 1, None)
            self.keys, self.values = (part[:, :, last].clone() for part in self.kv)
            self.positions = self.positions[:, :, last].clone()
            self.places = None if self.places is None else self.places[:, :, last].clone()

    def get_seq_length(self) -> int:
        """Tokens that came: where the next one stands."""
        return self.seen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys of a call."""
        return self.held + query_length, self.seen - self.held

    def get_max_length(self) -> int:
        """No limit of its own."""
        return -1

    def reset(self) -> None:
        """Forget everything."""
        self.keys = self.values = self.positions = self.places = self.scores = None
        self.next_place = None
        self.notes = {}
        self.far = None
        self.is_initialized = False
        self.seen = 0

    def crop(self, tokens_to_remove: int) -> None:
        """Take back the last tokens (a negative number of them), as assisted decoding does.

        Raises:
            InvalidInputError: some token was freed already, and taking back cannot bring it again.
        """
        if tokens_to_remove == 0 or not self.is_initialized:
            return
        if self.held != self.seen:
            raise InvalidInputError(
                "tokens were freed already, so the cache cannot be taken back; use the full policy to crop"
            )
        left = self.seen - abs(tokens_to_remove)
        assert self.positions is not None
        self.keys, self.values = (part[:, :, :left] for part in self.kv)
        self.positions = self.positions[:, :, :left]
        self.scores = None if self.scores is None else self.scores[:, :, :left]
        if self.places is not None and self.next_place is not None:
            self.next_place -= self.seen - left
            self.places = self.places[:, :, :left]
        self.seen = left

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Follow a beam search."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Hold these sequences of the batch."""
        self._rows(lambda part: part.index_select(0, indices.to(part.device)))

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Hold each sequence `repeats` times."""
        self._rows(lambda part: part.repeat_interleave(repeats, dim=0))

    def _rows(self, change: Callable[[Tensor], Tensor]) -> None:
        if self.is_initialized:
            assert self.positions is not None
            self.keys, self.values, self.positions = (change(part) for part in (*self.kv, self.positions))
            self.scores = None if self.scores is None else change(self.scores)
            self.places = None if self.places is None else change(self.places)
            self.notes = {name: change(note) for name, note in self.notes.items()}


class KVCache(Cache):
    """The layers of one run of an attached model."""

    def __init__(self, windows: Sequence[int | None]) -> None:
        super().__init__(layers=[KVLayer(window) for window in windows])
        self.last_hidden: Tensor | None = None
        """`[B, hidden]` that predicts the next token, where a policy wants to know how much it surprises."""

    @property
    def kv_layers(self) -> list[KVLayer]:
        """The layers, by their type."""
        return cast("list[KVLayer]", self.layers)

    def make_room(self, new: int, reach: int, frequencies: Sequence[Tensor]) -> int:
        """The position of the next of `new` tokens, none of which is past `reach`; what is held moves where it must.

        Raises:
            InvalidInputError: what is held leaves no room for so many.
        """
        layers = self.kv_layers
        at = layers[0].end
        if at + new > reach:
            at = max(layer.held for layer in layers)
            if at + new > reach:
                raise InvalidInputError(
                    f"a call of {new} tokens beside {at} that are held does not fit in a reach of {reach} positions; "
                    "feed fewer tokens a call, or lower the budget"
                )
            for layer, inv_freq in zip(layers, frequencies, strict=True):
                layer.move(at, inv_freq)
        return at

    def close(self) -> None:
        """Refuse further tokens."""
        for layer in self.kv_layers:
            layer.closed = True

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Follow a beam search."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Hold these sequences of the batch."""
        super().batch_select_indices(indices)
        if self.last_hidden is not None:
            self.last_hidden = self.last_hidden.index_select(0, indices.to(self.last_hidden.device))

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Hold each sequence `repeats` times."""
        super().batch_repeat_interleave(repeats)
        if self.last_hidden is not None:
            self.last_hidden = self.last_hidden.repeat_interleave(repeats, dim=0)


def pick(x: Tensor, slots: Tensor) -> Tensor:
    """`x` `[B, 1 or H, P]` at `slots` `[B, 1 or H, M]`, with the wider head axis."""
    heads = max(x.shape[1], slots.shape[1])
    return x.expand(-1, heads, -1).gather(2, slots.expand(-1, heads, -1).long())
