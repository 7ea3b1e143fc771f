"""Far tokens by clusters of alike keys, read when looked for: ClusterKV (Liu et al., arXiv 2412.03213), ReSV of V-Rex.

What leaves the window, `segment` tokens at a time, is clustered for each KV head by k-means over its keys (after RoPE,
so that a cluster is of neighbours in place as well), `segment / size` clusters started at every `size`-th token. A call
reads the clusters with the greatest q.centroid over its last 8 queries, as many as hold `read` tokens together.
Nothing is lost; what is held grows with the text at `bits` a number. Cutting by segments is RetroInfer's (arXiv
2505.02922). Both first papers keep far tokens at full width; defaults are ours: segments of 256, 8 tokens a
cluster, 1,024 tokens read, 4 bits, 5 rounds; centroids are kept in fp16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import ops
from agentmem.kv.clusters import Clusters
from agentmem.kv.far import Far
from agentmem.kv.layer import KVLayer
from agentmem.kv.pages import BITS, PAGE, PLAIN
from agentmem.kv.policies.paged import Leaving, Paged, append, pages_in, without_summaries
from agentmem.kv.policies.policy import Step

NOTE = "clustered "
ROUNDS = 5


@dataclass(frozen=True)
class ClusteredRetrieval(Paged):
    """The budget is of what is held as it is; up to `segment - 1` tokens more wait."""

    sinks: int = 4
    read: int = 1024
    size: int = 8
    segment: int = 256
    bits: int = 4

    def __post_init__(self) -> None:
        whole = self.segment > 0 and self.segment % PAGE == 0 and 0 < self.size <= self.segment
        if self.sinks < 0 or self.read < 1 or not whole or self.bits not in BITS:
            raise InvalidInputError(
                f"sinks is {self.sinks}, read {self.read}, size {self.size}, segment {self.segment} and bits "
                f"{self.bits}; they must be at least 0, at least 1, at least 1 and no more than segment, a multiple of "
                f"{PAGE}, and one of {', '.join(map(str, BITS))}"
            )
        object.__setattr__(self, "unit", self.segment)

    def put(self, step: Step, leaving: Leaving) -> None:
        """Cluster each segment, lay its tokens out in that order, and code them."""
        notes = step.layer.notes
        parts = zip(
            torch.split(leaving.keys, self.segment, 2),
            torch.split(leaving.values, self.segment, 2),
            strict=True,
        )
        for keys, values in parts:
            each = keys.flatten(0, 1)
            found = ops.run(
                "kmeans", each.contiguous(), each[:, :: self.size].contiguous(), iterations=ROUNDS
            )
            ids, centroids = (part.unflatten(0, keys.shape[:2]) for part in (found.ids, found.centroids))
            order = ids.long().argsort(dim=-1, stable=True)
            index = order[..., None].expand_as(keys)
            append(step.layer, NOTE, self._coded(keys.gather(2, index), values.gather(2, index)))
            count = torch.zeros(centroids.shape[:3], dtype=torch.int32, device=keys.device)
            count.scatter_add_(2, ids.long(), torch.ones_like(ids))
            for name, made in (("centroids", centroids.half()), ("sizes", count)):
                before = notes.get(NOTE + name)
                notes[NOTE + name] = made if before is None else torch.cat([before, made], dim=2)
        step.layer.far = True

    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """The clusters of a layer."""
        if layer.far is None:
            return None
        pages = pages_in(layer, NOTE, int(layer.kv[0].shape[-1]), self.bits)
        return Clusters(pages, layer.notes[NOTE + "centroids"], layer.notes[NOTE + "sizes"], self.read)

    def _coded(self, keys: Tensor, values: Tensor) -> Any:
        """Pages without summaries: centroids choose."""
        if self.bits == PLAIN:
            pages = ops.part("plain_pages")(keys.contiguous(), values.contiguous())
        else:
            pages = ops.run(
                "quantize_pack", keys.contiguous(), values.contiguous(), k_bits=self.bits, v_bits=self.bits
            )
        return without_summaries(pages)
