"""Scores of what a tool found against what is there. Pure; called by `scores` for every tool alike.

A span is found when a predicted one overlaps it by at least half of both together (intersection over union); which
kind the tool says is not asked, since tools name kinds differently. Several predictions on one value count once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

OVERLAP = 0.5


@dataclass(slots=True)
class Score:
    """Counts of one tool (or one kind): true and false positives, false negatives."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Share of what was predicted that is right; 1 where nothing was."""
        return self.hits / (self.hits + self.false) if self.hits + self.false else 1.0

    @property
    def recall(self) -> float:
        """Share of what is there that was found; 1 where nothing is."""
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else 1.0

    @property
    def f2(self) -> float:
        """Weighted mean of both, recall counting four times as much (van Rijsbergen's F with beta 2)."""
        down = 4 * self.precision + self.recall
        return 5 * self.precision * self.recall / down if down else 0.0


@dataclass(slots=True)
class Result:
    """The score of one tool over a corpus; by kind recall is by the true kind, precision by the predicted one."""

    total: Score = field(default_factory=Score)
    kinds: dict[str, Score] = field(default_factory=dict)
    agreed: int = 0
    missed: list[tuple[int, str, str]] = field(default_factory=list)
    wrong: list[tuple[int, str, str]] = field(default_factory=list)

    def kind(self, name: str) -> Score:
        """Return the score of a kind."""
        return self.kinds.setdefault(name, Score())


Truth = tuple[int, int, str]  # start, end, kind


def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Return intersection over union of two spans; 0 where they do not touch."""
    common = min(a[1], b[1]) - max(a[0], b[0])
    return common / (max(a[1], b[1]) - min(a[0], b[0])) if common > 0 else 0.0


def judge(truths: Sequence[Truth], predicted: Iterable[Truth], into: Result, number: int = 0) -> None:
    """Add one document to a result."""
    left = set(range(len(truths)))
    seen: Counter[int] = Counter()
    for start, end, kind in sorted(predicted):
        best = max(range(len(truths)), key=lambda i: overlap((start, end), truths[i][:2]), default=-1)
        if best < 0 or overlap((start, end), truths[best][:2]) < OVERLAP:
            into.total.false += 1
            into.kind(kind).false += 1
            into.wrong.append((number, kind, f"{start}-{end}"))
            continue
        seen[best] += 1
        left.discard(best)
        if seen[best] == 1:
            into.total.hits += 1
            into.kind(truths[best][2]).hits += 1
            into.agreed += kind == truths[best][2]
    for i in left:
        into.total.missed += 1
        into.kind(truths[i][2]).missed += 1
        into.missed.append((number, truths[i][2], f"{truths[i][0]}-{truths[i][1]}"))
