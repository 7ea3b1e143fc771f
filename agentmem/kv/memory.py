"""`KVMemory`: a text memory whose episodes a local model reads as keys and values, not as a prompt.

Words go to the text memory first and are never at risk: keys and values are derived from them, checked when read, and
made again from the words where they are missing, damaged or another model's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from typing import Any

from agentmem.errors import (
    CorruptLatentError,
    FingerprintMismatchError,
    InvalidInputError,
    RecordNotFoundError,
)
from agentmem.kv.attachment import attach, attachments, outside
from agentmem.kv.blend import blend
from agentmem.kv.capture import capture
from agentmem.kv.episode import EpisodeKV, arrays, coded, from_latent, layout, pinned
from agentmem.kv.fingerprint import fingerprint
from agentmem.kv.gate import Gate
from agentmem.kv.pages import BITS, PAGE, PLAIN
from agentmem.kv.places import Found, back_to_back, report, stand
from agentmem.kv.quality import Quality, measure
from agentmem.kv.recalled import Recalled
from agentmem.kv.rotary import turning
from agentmem.kv.shelf import Shelf
from agentmem.kv.support import check_version, shape_of
from agentmem.kv.text_memory import TextMemory
from agentmem.kv.transcript import prepared, written
from agentmem.kv.words import UNKEPT, Words
from agentmem.latents import LatentRef
from agentmem.types import Event

READERS = 4
REACH = 0.5
"""Share of the model's positions that episodes may stand on; the rest is the prompt's."""


class KVMemory:
    """Remembers texts for one model, in a text memory and as that model's keys and values.

    Args:
        model: a decoder that `attach` takes. tokenizer: its tokenizer.
        memory: where words and files are kept: an open `Memory`, which stays open.
        bits: of keys and values: 2, 4, 8, or 16 for the model's own numbers.
        block: tokens a block; only 64.
        budget_tokens: remembered tokens that each KV head attends to at a time.
        episodes: at most so many a recall.
        chunk: tokens a forward call when a text is read.
        prefix: what a text is read behind, to soak up attention; the tokenizer's start token when not given.
        host_bytes: of episodes kept in host memory for the next recall.
        min_agreement: how often episodes must make the model choose as the same texts in its prompt would (`quality`);
            below it a recall reads the words together instead, and says so. 0 asks nothing.
        recompute: share of the tokens that are read again (`blend`) where that makes them good enough; 0 for never.
        rekeep: whether a recall that had to make an episode from its words (its numbers were dropped by
            `Memory.maintain`, never made, damaged, or another model's) keeps what it made.

    Raises:
        InvalidInputError: a setting that cannot be.
        UnsupportedModelError: as `attach`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        memory: TextMemory,
        *,
        bits: int = 4,
        block: int = PAGE,
        budget_tokens: int = 4096,
        episodes: int = 16,
        chunk: int = 2048,
        prefix: str | None = None,
        host_bytes: int = 1 << 30,
        min_agreement: float = 0.8,
        recompute: float = 0.15,
        rekeep: bool = True,
    ) -> None:
        check_version()
        if block != PAGE:
            raise InvalidInputError(f"block is {block}; blocks are of {PAGE} tokens")
        if bits not in BITS:
            raise InvalidInputError(f"bits is {bits}, must be one of {', '.join(map(str, BITS))}")
        least = {"budget_tokens": (budget_tokens, PAGE), "episodes": (episodes, 1), "chunk": (chunk, 1)}
        for name, (value, lowest) in least.items():
            if value < lowest:
                raise InvalidInputError(f"{name} is {value}, must be at least {lowest}")
        self.model, self.tokenizer, self.memory = model, tokenizer, memory
        self.bits, self.budget_tokens, self.episodes, self.chunk = bits, budget_tokens, episodes, chunk
        with outside(model):
            self._shape = turning(model, shape_of(model))
        self._layout = layout(bits)
        self._prefix = self._prefix_ids(prefix)
        self._shelf = Shelf(host_bytes)
        self.rekeep = rekeep
        self._words = Words(memory)
        self._latents = memory.latents()
        self._gate = Gate(self._latents, memory.current_namespace, bits, min_agreement, recompute)

    @property
    def fingerprint(self) -> str:
        """What this model and tokenizer make, as one line; made anew when weights were written to."""
        return fingerprint(self.model, self.tokenizer, self._shape, chunk=self.chunk, prefix=self._prefix)

    def remember(self, messages: Any, *, session: str = "default", role: str = "user") -> str:
        """Store messages in the text memory, and their keys and values beside them; returns the episode's id.

        One message is an episode with the message's id; several are one episode, read together. The same call twice
        changes nothing.

        Raises:
            InvalidInputError: as `Memory.remember`; or nothing in it, or too long for the model: nothing is stored.
            DuplicateIdError: an id already holds different content.
        """
        ready = prepared(messages, session, role)
        if not 0 < (count := len(self._tokens(ready.text))) <= self._room():
            raise InvalidInputError(
                f"the text has {count} tokens; the model reads 1 to {self._room()}: remember it in parts"
            )
        id, found = self._words.remember(ready)
        try:
            self.load(id)
        except (RecordNotFoundError, FingerprintMismatchError, CorruptLatentError):
            self._keep(self._made(id, found), found)
        return id

    def load(self, episode_id: str) -> EpisodeKV:
        """An episode's keys and values as they are kept: a copy, checked against its sha256.

        Raises:
            RecordNotFoundError: nothing is kept under this id.
            FingerprintMismatchError: it was made by another model, tokenizer, RoPE, dtype, or at another width.
            CorruptLatentError: its file is missing or was changed.
        """
        latent = self._latents.get(
            self.memory.current_namespace, episode_id, fingerprint=self.fingerprint, layout=self._layout
        )
        return from_latent(latent)

    def verify(self, episode_id: str) -> LatentRef:
        """Read an episode's file and check it; raises as `load`."""
        self.load(episode_id)
        kept = self._latents.find(self.memory.current_namespace, episode_id)
        mine = self.fingerprint
        return next(ref for ref in kept if (ref.fingerprint, ref.layout) == (mine, self._layout))

    def quality(self) -> Quality:
        """What this model loses by episodes; measured once for a fingerprint and width, then kept beside the memory.

        Raises:
            InvalidInputError: it is not known yet and the model is attached; leave that block first.
        """
        return self._gate.quality(self.fingerprint, self._probe)

    def recall(self, query: str) -> list[EpisodeKV]:
        """The episodes that answer a query, as keys and values, in the order they happened."""
        return [deepcopy(found.episode) for found in self._recall(query)]

    @contextmanager
    def recalled(self, query: str) -> Iterator[Recalled]:
        """Let the model attend to what answers `query` in every call inside the block.

        Episodes stand one after the other before position 0, where a prompt starts; a prompt needs no room for them.
        Each KV head takes, for each call, the blocks that the call's last 8 queries can score highest. Inside
        `attach` that attachment's policy goes on; else everything of the prompt is kept.

        Raises:
            InvalidInputError: an empty query; or a recall inside a recall.
        """
        attached = attachments.get(self.model)
        if attached is not None and attached.recalled:
            raise InvalidInputError("this model is recalling already; leave that block first")
        found = self._recall(query)
        episodes = [one.episode for one in found]
        starts = back_to_back([episode.tokens for episode in episodes], self._reach())
        take = max(1, self.budget_tokens // PAGE)
        blocks = stand(self._shape, episodes, starts, take, next(self.model.parameters()).device)
        with ExitStack() as stack:
            running = attached or stack.enter_context(attach(self.model))
            running.recalled = blocks
            try:
                yield report(query, found, starts, blocks)
            finally:
                running.recalled = {}

    def _recall(self, query: str) -> list[Found]:
        """Episodes in the order they happened."""
        wanted = self._words.recalled(query, budget_tokens=self.budget_tokens, episodes=self.episodes)
        doubt = self._gate.doubt(self.fingerprint, self._probe) if wanted else None
        if doubt is not None and not doubt.blend:
            return [Found(self._together(wanted), "text", doubt.reason)]
        mine = self.fingerprint
        with ThreadPoolExecutor(READERS) as pool:
            kept = list(pool.map(lambda id: self._kept(id, mine), wanted))
        held = [
            Found(one) if isinstance(one, EpisodeKV) else Found(self._kept_again(id, wanted[id]), "text", one)
            for id, one in zip(wanted, kept, strict=True)
        ]
        if doubt is None:
            return held
        return [Found(self._blended([one.episode for one in held]), "blended", doubt.reason)]

    def _kept(self, id: str, mine: str) -> EpisodeKV | str:
        """A kept episode, or why there is none."""
        refs = self._latents.find(self.memory.current_namespace, id)
        sha256 = {ref.sha256 for ref in refs if (ref.fingerprint, ref.layout) == (mine, self._layout)}
        try:
            return self._shelf.get((id, *sha256), lambda: self._loaded(id))
        except RecordNotFoundError:
            return "no keys and values are kept"
        except (FingerprintMismatchError, CorruptLatentError) as error:
            return str(error)

    def _loaded(self, id: str) -> EpisodeKV:
        """A kept episode as it waits in host memory for the next recall."""
        found = self.load(id)
        return pinned(found) if next(self.model.parameters()).is_cuda else found

    def _kept_again(self, id: str, one: Event) -> EpisodeKV:
        """Made from the words of an episode that is wanted again, and kept for the next recall."""
        events = self._words.members(id, one)
        made = self._made(id, events)
        if self.rekeep:
            with suppress(*UNKEPT):
                self._keep(made, events)
        return made

    def _keep(self, episode: EpisodeKV, events: Sequence[Event]) -> None:
        tensors, types, words = arrays(episode)
        self._latents.put(
            self.memory.current_namespace,
            episode.id,
            tensors,
            fingerprint=episode.fingerprint,
            layout=self._layout,
            meta=words,
            dtypes=types,
            sources=[event.id for event in events],
        )

    def _made(self, id: str, events: Sequence[Event]) -> EpisodeKV:
        """Computed from the words: as many of them as the model reads at once."""
        return self._read(id, written(events), self.bits)

    def _read(self, id: str, text: str, bits: int) -> EpisodeKV:
        tokens = self._tokens(text)[: self._room()]
        with outside(self.model):
            found = capture(self.model, self._shape, self._prefix, tokens, self.chunk)
        return coded(id, tokens, found, self._shape, bits, self.fingerprint)

    def _together(self, wanted: Mapping[str, Event]) -> EpisodeKV:
        """The words of all episodes read as one text, at full width."""
        texts = [written(self._words.members(id, event)) for id, event in wanted.items()]
        return self._read("+".join(wanted), "\n".join(texts), PLAIN)

    def _blended(self, episodes: Sequence[EpisodeKV]) -> EpisodeKV:
        """All episodes as one text, the tokens that differ most read again."""
        with outside(self.model):
            made = blend(self.model, self._shape, self._prefix, episodes, self._gate.recompute)
        tokens = [token for one in episodes for token in one.token_ids.tolist()]
        id = "+".join(one.id for one in episodes)
        return coded(id, tokens, made, self._shape, PLAIN, self.fingerprint)

    def _probe(self) -> Quality:
        if self.model in attachments:
            raise InvalidInputError(
                "how good episodes are is not known yet: call kv.quality() outside attach"
            )
        return measure(
            self.model,
            self.tokenizer,
            self._shape,
            prefix=self._prefix,
            bits=self.bits,
            chunk=self.chunk,
            share=self._gate.recompute,
        )

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _room(self) -> int:
        """Tokens that the model reads at once."""
        return self._positions() - len(self._prefix)

    def _prefix_ids(self, prefix: str | None) -> tuple[int, ...]:
        if prefix is None:
            start = self.tokenizer.bos_token_id
            return () if start is None else (int(start),)
        return tuple(self.tokenizer(prefix, add_special_tokens=False)["input_ids"])

    def _reach(self) -> int:
        return int(self._positions() * REACH)

    def _positions(self) -> int:
        return int(self.model.config.get_text_config(decoder=True).max_position_embeddings)
