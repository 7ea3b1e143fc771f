"""A text as a few embeddings that a frozen model reads in its place: the trained half of `SoftMemory`.

A text's tokens come as the model's own hidden states (of chosen layers, each scaled to length one a channel) and as the
surprise -log p that the model had at each. A small network then integrates and fires:
    w_t = exp(u.x_t + g s_t),  C_t = m (w_1 + ... + w_t) / (w_1 + ... + w_T)      states x, surprise s, m embeddings
    a_jt = |[C_t-1, C_t] intersected with [j, j + 1]|,   z_j = sum_t a_jt F(x_t),   e_j = G(z_j)
so that each embedding stands for a stretch of the text of the same weight: more of them, and each has less to hold.
Because nothing in it counts embeddings, one encoder serves every m. Fixed-length embeddings of an episode read as
`inputs_embeds` are Auto-scaling Continuous Memory's and CMT's; the cutting is continuous integrate-and-fire (Dong & Xu,
arXiv 1905.11235); training against the frozen model's own answers is ICAE's (arXiv 2307.06945).
Axes: `B` batch, `T` tokens, `C` channels of the states taken together, `M` embeddings, `D` the model's hidden size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from agentmem.errors import FingerprintMismatchError, InvalidInputError
from agentmem.kv.fingerprint import memory_of, weights_digest

EPSILON = 1e-6


class Heard(NamedTuple):
    """What a model made of texts: `states` `[B, T, C]` and `surprise` `[B, T]`, fp32."""

    states: Tensor
    surprise: Tensor


class SoftEncoder(nn.Module):
    """Turns what a model made of a text into embeddings for that model.

    Args:
        hidden: the model's hidden size. layers: hidden states to read, 0 for the token embeddings.
        width: of the network. scale: the size of the embeddings it starts with: the model's own, root mean square.
        made_for: digest of the weights it is for.
    """

    def __init__(
        self, hidden: int, layers: Sequence[int], width: int, *, scale: float = 1.0, made_for: str = ""
    ) -> None:
        super().__init__()
        self.hidden, self.layers, self.width, self.made_for = hidden, tuple(layers), width, made_for
        channels = hidden * len(self.layers)
        self.token = nn.Sequential(nn.Linear(channels, width), nn.GELU(), nn.Linear(width, width))
        self.weight = nn.Linear(channels, 1)
        # before it is trained, a token counts by its surprise alone
        nn.init.zeros_(self.weight.weight)
        self.gain = nn.Parameter(torch.tensor(0.5))
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden))
        self.register_buffer("scale", torch.tensor(float(scale)))

    def forward(self, heard: Heard, count: int) -> Tensor:
        """`count` embeddings `[B, M, D]` fp32 of each text."""
        pooled = shares(self.weights(heard), count) @ self.token(heard.states)
        found: Tensor = self.out(pooled + self.mix(pooled)) * self.scale
        return found

    def weights(self, heard: Heard) -> Tensor:
        """How much each token counts, `[B, T]`, positive."""
        found: Tensor = (self.weight(heard.states)[..., 0] + self.gain * heard.surprise).exp()
        return found

    @torch.no_grad()
    def listen(self, model: Any, ids: Tensor, behind: int) -> Heard:
        """What the model makes of texts `[B, behind + T]` of one length, the first `behind` tokens left out.

        The surprise of a token that nothing stands before is 0.
        """
        out = model.get_decoder()(ids, output_hidden_states=True, use_cache=False)
        kept = [out.hidden_states[layer][:, behind:].float() for layer in self.layers]
        states = [part * torch.rsqrt(part.square().mean(-1, keepdim=True) + EPSILON) for part in kept]
        first = max(behind, 1)
        told = model.get_output_embeddings()(out.last_hidden_state[:, first - 1 : -1]).float()
        surprise = -told.log_softmax(dim=-1).gather(2, ids[:, first:, None])[..., 0]
        return Heard(torch.cat(states, dim=-1), nn.functional.pad(surprise, (first - behind, 0)))

    @torch.no_grad()
    def encode(self, model: Any, prefix: Sequence[int], tokens: Sequence[int], count: int) -> Tensor:
        """`count` embeddings `[M, D]` fp32 of one text, read behind `prefix`.

        Raises:
            InvalidInputError: no tokens, or no embeddings asked for.
        """
        if not tokens or count < 1:
            raise InvalidInputError(f"{len(tokens)} tokens as {count} embeddings: both must be at least 1")
        ids = torch.tensor([[*prefix, *tokens]], device=next(model.parameters()).device)
        found: Tensor = self(self.listen(model, ids, len(prefix)), count)[0]
        return found

    def check(self, model: Any) -> None:
        """Refuse another model than the one it was trained for.

        Raises:
            FingerprintMismatchError: the model has other weights, or another dtype.
        """
        if (mine := weights_digest(model)) != self.made_for:
            raise FingerprintMismatchError("soft encoder", f"weights={self.made_for}", f"weights={mine}")

    @property
    def digest(self) -> str:
        """The start of the sha256 of its own weights."""
        made = hashlib.sha256()
        for _, part in sorted(self.state_dict().items()):
            made.update(memory_of(part.reshape(-1)))
        return made.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write it as safetensors, in bf16."""
        about = {"hidden": self.hidden, "layers": self.layers, "width": self.width, "made_for": self.made_for}
        parts = {name: part.to(torch.bfloat16).contiguous() for name, part in self.state_dict().items()}
        save_file(parts, path, metadata={"soft": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> SoftEncoder:
        """Read what `save` wrote, as fp32, ready to be used."""
        with safe_open(path, "pt") as held:
            about = json.loads(held.metadata()["soft"])
            parts = {name: held.get_tensor(name).float() for name in held.keys()}  # noqa: SIM118 - not a mapping
        found = cls(about["hidden"], about["layers"], about["width"], made_for=about["made_for"])
        found.load_state_dict(parts)
        return found.eval().requires_grad_(False)


def shares(weights: Tensor, count: int) -> Tensor:
    """How much of each token is in each of `count` embeddings: `[B, M, T]`, each row adding up to 1."""
    ends = weights.cumsum(dim=1)
    ends = ends / ends[:, -1:] * count
    starts = nn.functional.pad(ends[:, :-1], (1, 0))
    slot = torch.arange(count, device=weights.device)[:, None]
    return (torch.minimum(ends[:, None], slot + 1.0) - torch.maximum(starts[:, None], slot + 0.0)).clamp(
        min=0
    )
