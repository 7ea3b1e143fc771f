"""Checks what a LangGraph user hands in: namespaces, keys, values. The errors say what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from langgraph.store.base import InvalidNamespaceError

from agentmem.errors import InvalidInputError
from agentmem.types import Namespace

_PLAIN = (str, int, type(None))
_STRINGS = frozenset({str})
_SURELY_JSON = frozenset({str, int, bool, type(None)})
_ENCODE = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_MAX_DEPTH = 200


def read_namespace(given: object, *, writing: bool = False) -> Namespace:
    """The namespace as a tuple; `writing` also refuses the empty one and LangGraph's own root.

    Raises:
        InvalidNamespaceError: not a sequence of labels, or a label that is not one.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidNamespaceError(
            f"a namespace is a tuple of labels such as ('users', '42'), not {given!r}"
        )
    namespace = tuple(given)
    for label in namespace:
        if not isinstance(label, str):
            raise InvalidNamespaceError(
                f"labels are strings; {label!r} in {namespace!r} is {type(label).__name__}: write {str(label)!r}"
            )
        if not label or "." in label or "\0" in label:
            raise InvalidNamespaceError(
                f"labels are not empty and hold no '.' and no NUL; {label!r} in {namespace!r} is not one"
            )
    if writing and not namespace:
        raise InvalidNamespaceError(
            "an item needs a namespace of at least one label; the empty one is for searching"
        )
    if writing and namespace[0] == "langgraph":
        raise InvalidNamespaceError(
            f"the root label 'langgraph' is LangGraph's own; {namespace!r} begins with it"
        )
    return namespace


def read_key(given: object) -> str:
    """The key as text. Raises `InvalidInputError` for one no database can hold."""
    key = given if type(given) is str else str(given)
    if key.isascii() and "\0" not in key:
        return key
    try:
        key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"the key {key!r} holds a lone surrogate, which no encoding can store"
        ) from error
    if "\0" in key:
        raise InvalidInputError(f"the key {key!r} holds a NUL character")
    return key


def write_value(given: object) -> str:
    """The value as JSON text: what is read back is equal to it, and shares nothing with it.

    Raises:
        InvalidInputError: not a mapping with string keys, or something in it is not JSON.
    """
    if type(given) is not dict and not isinstance(given, Mapping):
        raise InvalidInputError(f"a value is a dict, or None to delete; not {type(given).__name__} {given!r}")
    plain = given if _is_flat(given) else _plain(given, "value", 0)
    return _ENCODE(plain)


def _is_flat(value: Mapping[Any, Any]) -> bool:
    """Whether it is surely JSON at one glance, as most are."""
    return (
        type(value) is dict
        and _STRINGS.issuperset(map(type, value))
        and _SURELY_JSON.issuperset(map(type, value.values()))
    )


def _plain(value: Any, where: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise InvalidInputError(f"{where[:80]}… is nested more than {_MAX_DEPTH} deep, or holds itself")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInputError(f"{where} is {value}, which JSON cannot hold; use None or a text")
        return float(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        strange = [key for key in value if not isinstance(key, str)]
        if strange:
            raise InvalidInputError(
                f"{where} has the key {strange[0]!r}; keys are strings: write {str(strange[0])!r}"
            )
        return {key: _plain(inner, f"{where}.{key}", depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{where}[{place}]", depth + 1) for place, inner in enumerate(value)]
    raise InvalidInputError(
        f"{where} is a {type(value).__name__}, which JSON cannot hold; put a text, number, list or dict there "
        "(a time as .isoformat(), a model as .model_dump(mode='json'))"
    )


def read_ttl(minutes: object) -> float | None:
    """A time to live in seconds, from LangGraph's minutes. Raises `InvalidInputError` for what is no number."""
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not math.isfinite(minutes):
        raise InvalidInputError(f"a ttl is a number of minutes, or None for ever; not {minutes!r}")
    return float(minutes) * 60


def read_count(given: object, name: str) -> int:
    """A limit or offset. Raises `InvalidInputError` for what is no whole number of at least 0."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise InvalidInputError(f"{name} is a whole number of at least 0, not {given!r}")
    return given
