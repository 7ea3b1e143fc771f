"""What each group of features is worth: recall on held-out conversations without it, and with it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from .folds import cross_validated
from .lessons import Lesson
from .task import Dataset

# a column belongs to the first group that names how it begins
GROUPS: Mapping[str, tuple[str, ...]] = {
    "late": ("late",),
    "dense": ("dense",),
    "words": ("lexical", "covered"),
    "people": ("speaks", "other_speaks", "mentioned"),
    "dates": ("in_time", "near_in"),
    "manner": ("",),
}
_COLUMNS = ("recall@10", "all@10")
_SHOWN = ("1-4", "multi-hop")
Ablation = Mapping[str, Mapping[str, float]]


def ablation(dataset: Dataset, learned: Sequence[Lesson], names: tuple[str, ...], splits: int) -> Ablation:
    """Recall of everything, and per group without it and with it alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        owner = next(group for group, starts in GROUPS.items() if name.startswith(starts))
        groups.setdefault(owner, []).append(name)
    sets = {"everything": names}
    for group, own in groups.items():
        sets[f"without {group}"] = tuple(name for name in names if name not in own)
        sets[f"{group} alone"] = tuple(own)
    return {
        label: {
            f"{group} {name}": round(row[name], 4)
            for group, row in cross_validated(dataset, learned, chosen, splits, _COLUMNS).items()
            if group in _SHOWN
            for name in _COLUMNS
        }
        for label, chosen in sets.items()
    }


def table(ability: str, found: Ablation) -> Table:
    """The ablation as printed."""
    shown = Table(title=f"{ability}: what each group is worth", title_justify="left")
    shown.add_column("features", no_wrap=True)
    for name in found["everything"]:
        shown.add_column(name, justify="right")
    for label, row in found.items():
        shown.add_row(label, *(f"{value:.3f}" for value in row.values()))
    return shown
