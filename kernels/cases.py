"""The shapes on which every op is compiled and timed."""

from __future__ import annotations

from .case import Case
from .cases_pages import PAGE_CASES
from .cases_search import SEARCH_CASES

CASES: tuple[Case, ...] = (*PAGE_CASES, *SEARCH_CASES)
