"""Sinks, a recent window, and what everything else left behind: B'MOJO's fading memory (arXiv 2407.06324).

What leaves the window is folded into a linear state of fixed size (`agentmem.kv.fading`, with its formula), so what is
held does not grow with the text. The maps are trained once for a model, on texts of the kind that it reads. A state
remembers a little of each token and less the more tokens come: it softens what a window loses, and is no place for a
fact that must not be lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentmem.errors import InvalidInputError
from agentmem.kv.fading import Faded, FadingMaps
from agentmem.kv.far import Far
from agentmem.kv.layer import KVLayer
from agentmem.kv.policies.paged import Leaving, Paged, before_rope
from agentmem.kv.policies.policy import Step

STATE, TOTAL = "fading state", "fading total"


@dataclass(frozen=True, eq=False)
class FadingState(Paged):
    """The budget is of the window; up to 63 tokens more wait until they fill a page. `maps` are the model's own."""

    maps: FadingMaps
    sinks: int = 4

    def __post_init__(self) -> None:
        if self.sinks < 0:
            raise InvalidInputError(f"sinks is {self.sinks}, must be at least 0")

    def put(self, step: Step, leaving: Leaving) -> None:
        """Fold tokens into the state, after what was there faded.

        Raises:
            InvalidInputError: the maps are another model's.
        """
        _, heads, count, dim = leaving.keys.shape
        self.maps.check(step.depth, heads, dim)
        maps, notes = self.maps.layer(step.index), step.layer.notes
        state, total = maps.folded(before_rope(leaving, step.inv_freq), leaving.values)
        if STATE in notes:
            faded = (maps.decay**count).to(state.device)
            state = notes[STATE] * faded[:, None, None] + state
            total = notes[TOTAL] * faded[:, None] + total
        notes[STATE], notes[TOTAL] = state, total
        step.layer.far = step.inv_freq

    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """The state of a layer."""
        if layer.far is None:
            return None
        return Faded(
            self.maps.layer(place), layer.notes[STATE], layer.notes[TOTAL], layer.far, end=layer.seen
        )
