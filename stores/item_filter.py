"""Whether a JSON value passes a filter. Knows nothing of SQL, so every database filters alike.

The operators are LangGraph's. Values compare by their JSON type: numbers with numbers, texts with texts, and
`true` is not `1`; what cannot be compared is not a match, and never an error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from agentmem.errors import InvalidInputError

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
OPERATORS = ("$eq", "$ne", *_ORDER)


def check(wanted: Mapping[str, Any]) -> None:
    """Raise `InvalidInputError` for a field or an operator that makes no sense, before anything is read."""
    if not isinstance(wanted, Mapping):
        raise InvalidInputError(f"a filter is a dict such as {{'status': 'active'}}, not {wanted!r}")
    for field, value in wanted.items():
        if not isinstance(field, str) or "" in field.split("."):
            raise InvalidInputError(
                f"Invalid filter key {field!r}: a filter names a field, or the path to one as in 'meta.stars'"
            )
        if _is_operator(field):
            raise InvalidInputError(
                f"cannot filter by {field!r}; operators stand below a field, as in {{'stars': {{'$gt': 3}}}}, and "
                f"are {', '.join(OPERATORS)}; several fields must all pass"
            )
        if isinstance(value, Mapping):
            strange = [name for name in value if _is_operator(name) and name not in OPERATORS]
            operators = [name for name in value if _is_operator(name)]
            if strange or (operators and len(operators) != len(value)):
                raise InvalidInputError(
                    f"cannot filter by {dict(value)!r}; operators stand alone and are {', '.join(OPERATORS)}"
                )
            check({} if operators else value)


def passes(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether every condition holds."""
    return all(_holds(_at(value, field), condition) for field, condition in wanted.items())


def _at(value: Mapping[str, Any], field: str) -> Any:
    """The field of this very name, else the one at this dotted path; None where it is missing."""
    if field in value or "." not in field:
        return value.get(field)
    found: Any = value
    for part in field.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _holds(found: Any, condition: Any) -> bool:
    if isinstance(condition, Mapping):
        if any(map(_is_operator, condition)):
            return all(_compare(found, name, operand) for name, operand in condition.items())
        return isinstance(found, Mapping) and passes(found, condition)
    if isinstance(condition, list | tuple):
        return isinstance(found, list) and len(found) == len(condition) and all(map(_holds, found, condition))
    return _same(found, condition)


def _compare(found: Any, name: str, operand: Any) -> bool:
    if name == "$eq":
        return _same(found, operand)
    if name == "$ne":
        return not _same(found, operand)
    both_texts = isinstance(found, str) and isinstance(operand, str)
    return (both_texts or (_is_number(found) and _is_number(operand))) and _ORDER[name](found, operand)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but not true."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_operator(name: Any) -> bool:
    return isinstance(name, str) and name.startswith("$")
