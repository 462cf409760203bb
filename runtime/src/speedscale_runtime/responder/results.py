"""mocks.jsonl: what was answered, line by line, then what nobody asked for, then the counts.

Owned by the server. Lines wait in memory and are written together; at most `lines_max` lines of requests are
written (the counts stay exact, `linesLeftOut` says how many are missing), so a load test cannot fill a disk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from . import lines
from .answers import Answer
from .lines import MATCH, NO_MATCH, PASSTHROUGH
from .mocks import Mock, Mocks

FILE = "mocks.jsonl"
_WAITING_MAX = 4096


class Results:
    """Counts and, where a folder was given, the file. `clock_ns` is wall-clock time.

    `looks`: it is known which requests the replay's tests caused, so their number says something.
    """

    def __init__(
        self,
        folder: Path | None,
        run: Mapping[str, Any],
        lines_max: int,
        *,
        looks: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.verdicts: dict[str, int] = dict.fromkeys(lines.VERDICTS, 0)
        self.by_tests: dict[str, int] = dict.fromkeys(lines.VERDICTS, 0)
        self.reasons: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.left_out = 0
        self._lines_max, self._looks, self._clock_ns = lines_max, looks, clock_ns
        self._written = 0
        self._waiting: list[bytes] = []
        self._at_ms, self._at = -1, b""
        self._file: BinaryIO | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / FILE).open("wb")
            self._file.write(lines.document({"type": "run", "version": 1, **run}))

    def match(self, line: bytes, fault: str = "", *, by_tests: bool = False) -> None:
        """Count an answer from a recording; `line` is the answer's own. `by_tests`: a test of the replay caused it."""
        self.verdicts[MATCH] += 1
        if by_tests and not fault:
            self.by_tests[MATCH] += 1
        if fault:
            self.faults[fault] += 1
        if self._file is not None:
            self._add(line, fault, by_tests)

    def other(self, verdict: str, reason: str, line: bytes, *, by_tests: bool = False) -> None:
        """Count a request that had no recorded answer."""
        self.verdicts[verdict] += 1
        if by_tests:
            self.by_tests[verdict] += 1
        self.reasons[str(reason)] += 1
        if self._file is not None:
            self._add(line, "", by_tests)

    def flush(self) -> None:
        """Write what waits."""
        if self._file is not None and self._waiting:
            self._file.write(b"".join(self._waiting))
            self._file.flush()
        self._waiting.clear()

    def close(self, mocks: Mocks, line: Callable[[Mock, Answer], bytes]) -> None:
        """Write the unused mocks and the counts, and close the file; `line` gives the start of an answer's line."""
        self.flush()
        if self._file is None:
            return
        for mock, index, answer in mocks.unused():
            start = line(mock, answer).replace(b'"type":"mock","verdict":"MATCH"', b'"type":"unused"', 1)
            self._file.write(b'%s,"instance":%d,"answers":%d}\n' % (start, index, len(mock.answers)))
        self._file.write(lines.document({"type": "end", **self.totals(mocks)}))
        self._file.close()
        self._file = None

    def totals(self, mocks: Mocks) -> dict[str, Any]:
        """Return the counts of the run."""
        asked = self.verdicts[MATCH] + self.verdicts[NO_MATCH] + self.verdicts[PASSTHROUGH]
        faulty = sum(self.faults.values())
        return {
            "requests": asked,
            "verdicts": dict(self.verdicts),
            **({"byTests": dict(self.by_tests)} if self._looks else {}),
            "reasons": dict(sorted(self.reasons.items())),
            "faults": dict(sorted(self.faults.items())),
            "matchPct": round(100 * (self.verdicts[MATCH] - faulty) / (asked - faulty), 3) if asked > faulty else None,
            "mocks": mocks.answers,
            "unused": sum(1 for _ in mocks.unused()),
            "linesLeftOut": self.left_out,
            "at": self._instant(self._clock_ns() // 1_000_000).decode(),
        }

    def _add(self, line: bytes, fault: str, by_tests: bool) -> None:
        if self._written >= self._lines_max:
            self.left_out += 1
            return
        self._written += 1
        at_ms = self._clock_ns() // 1_000_000
        if at_ms != self._at_ms:
            self._at_ms, self._at = at_ms, self._instant(at_ms)
        self._waiting.append(lines.finish(line, self._at, fault, by_tests=by_tests))
        if len(self._waiting) >= _WAITING_MAX:
            self.flush()

    @staticmethod
    def _instant(at_ms: int) -> bytes:
        seconds, rest = divmod(at_ms, 1000)
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%03dZ" % rest
