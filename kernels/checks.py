"""The small shapes on which every kernel is compared with its definition."""

from __future__ import annotations

from .checks_pages import PAGE_CHECKS
from .checks_search import SEARCH_CHECKS
from .verify import Check

CHECKS: tuple[Check, ...] = (*PAGE_CHECKS, *SEARCH_CHECKS)
