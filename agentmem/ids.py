"""Ids for what comes without one."""

from __future__ import annotations

import secrets
import time

_VERSION, _VARIANT = 7, 0b10
_RANDOM_BITS = 74


def new_id() -> str:
    """32 hexadecimal digits that nobody else draws, in the order of time to a millisecond (UUIDv7, RFC 9562).

    Rows come to stand in an index as they come in, so that a large index costs no more to write than a small one.
    """
    milliseconds = time.time_ns() // 1_000_000
    drawn = secrets.randbits(_RANDOM_BITS)
    first, last = drawn >> 62, drawn & ((1 << 62) - 1)
    return f"{milliseconds << 80 | _VERSION << 76 | first << 64 | _VARIANT << 62 | last:032x}"
