"""Every error agentmem raises on purpose, under one root.

AgentMemError
├── InvalidInputError (ValueError)        what was handed in cannot be stored or understood
│   ├── NamespaceError                    not a usable namespace
│   └── BudgetTooSmallError               the token budget cannot hold even the frame of a context
├── DuplicateIdError (ValueError)         this id already holds different content
├── RecordNotFoundError (LookupError)     nothing has this id here
├── MissingExtraError (ImportError)       an optional part is not installed
├── UnknownPluginError (LookupError)      no part is registered under this name
├── UnsupportedModelError (ValueError)    a language model's cache or attention is not one that we know
├── EmbedderError (RuntimeError)          the embedder failed or returned nonsense
│   └── EmbedderMismatchError             the store was built with another embedder
├── LLMError (RuntimeError)               the language model failed or answered nonsense
├── ClosedError (RuntimeError)            this memory has been closed
├── EvalDataError (ValueError)            an evaluation's data is absent or not in its format
├── PeerUnavailableError (RuntimeError)   another memory system cannot be run beside ours here
└── StoreError (RuntimeError)             the database could not do what was asked
    ├── NotADatabaseError                 the file is not an agentmem database
    ├── NewerSchemaError                  the database was written by a newer agentmem
    ├── EncryptionKeyError                the key is missing, malformed or wrong
    ├── ReadOnlyStoreError                the database cannot be written
    ├── StoreFullError                    no space is left on the device
    ├── StoreBusyError                    another process kept the write lock too long
    ├── StoreUnreachableError             the database's server cannot be reached, or the connection was lost
    ├── CorruptLatentError                the file of a latent is missing or damaged
    ├── FingerprintMismatchError          a latent was made by another model or in another layout
    └── ArchiveError                      an export is damaged, or not one of ours
"""

from __future__ import annotations


class AgentMemError(Exception):
    """The root: catch this to catch everything agentmem raises on purpose."""


class InvalidInputError(AgentMemError, ValueError):
    """What was handed in cannot be stored or understood."""


class NamespaceError(InvalidInputError):
    """Not a usable namespace."""


class BudgetTooSmallError(InvalidInputError):
    """The token budget cannot hold even the frame of a context."""


class DuplicateIdError(AgentMemError, ValueError):
    """This id already holds different content."""

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"event id {event_id!r} already holds different content in this namespace; events are "
            "append-only: use a new id, or forget(ids=[...]) the old event first"
        )
        self.event_id = event_id


class RecordNotFoundError(AgentMemError, LookupError):
    """Nothing has this id here."""

    def __init__(self, record_id: str) -> None:
        super().__init__(
            f"no event or memory {record_id!r} in this namespace; it may have been forgotten: "
            f"see history({record_id!r})"
        )
        self.record_id = record_id


class MissingExtraError(AgentMemError, ImportError):
    """An optional part is not installed."""

    def __init__(self, what: str, extra: str, otherwise: str = "") -> None:
        super().__init__(f"{what} needs an optional part: pip install 'agentmem[{extra}]'{otherwise}")
        self.extra = extra


class UnknownPluginError(AgentMemError, LookupError):
    """No part is registered under this name."""


class UnsupportedModelError(AgentMemError, ValueError):
    """A language model's cache or attention is not one that we know."""


class EmbedderError(AgentMemError, RuntimeError):
    """The embedder failed or returned nonsense."""


class EmbedderMismatchError(EmbedderError):
    """The store was built with another embedder."""

    def __init__(
        self, stored: str, stored_dims: int, given: str, given_dims: int | None = None, remedy: str = ""
    ) -> None:
        dims = "" if given_dims is None else f" ({given_dims} dims)"
        remedy = remedy or (
            f"open it with embedder={stored!r}, or move it over with Memory.reembed(url, embedder={given!r}) / "
            f"`agentmem reindex --embedder {given}`"
        )
        super().__init__(
            f"this store's vectors were made by {stored!r} ({stored_dims} dims), not by {given!r}{dims}; {remedy}"
        )
        self.stored = stored
        self.given = given


class LLMError(AgentMemError, RuntimeError):
    """The language model failed or answered nonsense; what it was asked about is as it was."""


class ClosedError(AgentMemError, RuntimeError):
    """This memory has been closed."""


class EvalDataError(AgentMemError, ValueError):
    """An evaluation's data is absent or not in its format."""


class PeerUnavailableError(AgentMemError, RuntimeError):
    """Another memory system cannot be run beside ours here."""

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(f"{peer} cannot run here: {reason}")
        self.reason = reason


class StoreError(AgentMemError, RuntimeError):
    """The database could not do what was asked."""


class NotADatabaseError(StoreError):
    """The file is not an agentmem database."""


class NewerSchemaError(StoreError):
    """The database was written by a newer agentmem."""


class EncryptionKeyError(StoreError):
    """The key is missing, malformed or wrong; nothing was changed."""


class ReadOnlyStoreError(StoreError):
    """The database cannot be written."""


class StoreFullError(StoreError):
    """No space is left on the device."""


class StoreBusyError(StoreError):
    """Another process kept the write lock too long."""


class CorruptLatentError(StoreError):
    """The file of a latent is missing or damaged."""

    def __init__(self, owner_id: str, reason: str) -> None:
        super().__init__(
            f"the latent of {owner_id!r} is damaged: {reason}; no words are lost: delete it, and have it made again"
        )
        self.owner_id = owner_id


class FingerprintMismatchError(StoreError):
    """A latent was made by another model or in another layout."""

    def __init__(self, owner_id: str, stored: str, given: str) -> None:
        super().__init__(
            f"the latent of {owner_id!r} was made for {stored}, not for {given}; its numbers mean nothing there: "
            "have it made again"
        )
        self.stored = stored
        self.given = given


class StoreUnreachableError(StoreError):
    """The database's server cannot be reached, or the connection to it was lost: worth trying again.

    A write under way was undone as a whole, unless the message says that it may have been stored.
    """


class ArchiveError(StoreError):
    """An export is damaged, or not one of ours."""
