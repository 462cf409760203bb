"""`make bench-dlp`: what redaction finds, misses and lets out, beside its peers on the same documents.

Writes docs/redaction-scores.md: the same bytes each time but for the section of times at its end. The exit code is 1
when a goal is missed: leak rate 0, F2 at least 0.98 overall and `FLOORS` for each kind, above every peer, fewer than
one false positive per clean megabyte.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from speedscale_runtime.dlp import Redactor

from . import agreement, corpus, leaks, ours, peers, published
from .corpus import Document
from .score import Result, Score, Truth, judge

PAGE = Path(__file__).resolve().parents[2] / "docs" / "redaction-scores.md"
SEED = 20_260_115
DOCUMENTS, CLEAN, LEAKING = 400, 3_000, 160
GOAL, FLOOR, PER_MEGABYTE = 0.98, 0.95, 1.0
FLOORS = {"NATIONAL_ID": 0.93}
SECRETS = frozenset(("SECRET", "PASSWORD", "JWT", "PRIVATE_KEY", "AWS_KEY", "AWS_SECRET"))
PRESIDIO = frozenset(("EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "IP4", "IP6", "SSN", "MAC", "NATIONAL_ID", "BIRTH_DATE"))
Find = Callable[[Sequence[Document]], list[list[Truth]] | None]


def main() -> int:
    """Score, write the page, say which goal is missed."""
    parser = argparse.ArgumentParser(description="scores of redaction beside its peers")
    parser.add_argument("--no-peers", action="store_true", help="ours alone; the page is not written")
    parser.add_argument("--seed", type=int, default=SEED, help="another corpus; the page is not written")
    args = parser.parse_args()
    redactor = ours.redactor()
    dirty = list(corpus.documents(args.seed, DOCUMENTS))
    known = published.documents()
    times: list[str] = []
    tools = _tools(redactor, times, alone=args.no_peers)
    rows = [(name, kinds, _scored(dirty, find, kinds), _scored(known, find, kinds)) for name, kinds, find in tools]
    false, size = _clean(redactor, args.seed)
    leaking = _leaks(redactor, args.seed)
    numbers = [] if args.no_peers else agreement.rows(args.seed)
    page = _page(rows, false, size, leaking, numbers, times)
    print(page)
    if not args.no_peers and args.seed == SEED:
        PAGE.write_text(page, encoding="utf-8")
    missed = _goals(rows, false, size, leaking)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def _tools(redactor: Redactor, times: list[str], *, alone: bool) -> list[tuple[str, frozenset[str], Find]]:
    everything = frozenset[str]()

    def timed(name: str, find: Find) -> Find:
        def run(documents: Sequence[Document]) -> list[list[Truth]] | None:
            started = time.perf_counter()
            found = find(documents)
            taken = time.perf_counter() - started
            size = sum(len(d.data) for d in documents) / 1e6
            times.append(f"| {name} | {size:.2f} | {taken:.1f} | {size / taken:.2f} |")
            return found

        return run

    def mine(documents: Sequence[Document]) -> list[list[Truth]]:
        return [ours.spans(redactor, d) for d in documents]

    first = ("this project", everything, timed("this project", mine))

    def some(kinds: frozenset[str]) -> Find:
        def one(document: Document) -> list[Truth]:
            spans = [s for s in document.spans if s.kind in kinds]
            found = ours.spans(redactor, document)
            return [f for f in found if f[2] in kinds or any(f[0] < s.end and s.start < f[1] for s in spans)]

        return lambda documents: [one(d) for d in documents]

    secrets = ("this project, secrets only", SECRETS, some(SECRETS))
    persons = ("this project, Presidio's kinds only", PRESIDIO, some(PRESIDIO))
    if alone:
        return [first, persons, secrets]

    def once(what: str) -> Find:
        answers: dict[int, list[list[Truth]] | None] = {}

        def ask(documents: Sequence[Document]) -> list[list[Truth]] | None:
            if id(documents) not in answers:
                answers[id(documents)] = peers.ask(what, [d.data for d in documents])
            return answers[id(documents)]

        return ask

    presidio, shipped = once("presidio"), once("presidio_all")

    return [
        first,
        ("Presidio", everything, timed("Presidio", presidio)),
        ("Presidio, every recogniser", everything, timed("Presidio, every recogniser", shipped)),
        persons,
        ("Presidio, its kinds only", PRESIDIO, presidio),
        ("Presidio, every recogniser, its kinds only", PRESIDIO, shipped),
        secrets,
        (
            "detect-secrets, secrets only",
            SECRETS,
            timed("detect-secrets", lambda d: peers.ask("detect_secrets", [x.data for x in d])),
        ),
        ("gitleaks, secrets only", SECRETS, timed("gitleaks", lambda d: peers.gitleaks([x.data for x in d]))),
    ]


def _scored(documents: Sequence[Document], find: Find, kinds: frozenset[str]) -> Result | None:
    """Score a tool; with `kinds` only those count, and what it finds on values of other kinds is no fault."""
    answers = find(documents)
    if answers is None:
        return None
    result = Result()
    for number, (document, found) in enumerate(zip(documents, answers, strict=True)):
        truths = [(s.start, s.end, s.kind) for s in document.spans]
        if kinds:
            others = [t for t in truths if t[2] not in kinds]
            truths = [t for t in truths if t[2] in kinds]
            found = [f for f in found if not any(f[0] < o[1] and o[0] < f[1] for o in others)]
        judge(truths, found, result, number)
    return result


def _clean(redactor: Redactor, seed: int) -> tuple[int, int]:
    false = size = 0
    for document in corpus.clean(seed, CLEAN):
        size += len(document.data)
        false += len(ours.spans(redactor, document))
    return false, size


def _leaks(redactor: Redactor, seed: int) -> dict[str, tuple[int, int]]:
    counts = dict.fromkeys(leaks.WRAPPERS, (0, 0))
    for document in corpus.documents(seed + 1, LEAKING):
        for name, wrap in leaks.WRAPPERS.items():
            out = leaks.redact(redactor, wrap(document))
            got, all_ = counts[name]
            counts[name] = (got + len(leaks.leaked(document, out)), all_ + len(document.spans))
    return counts


Row = tuple[str, frozenset[str], Result | None, Result | None]


def _goals(rows: Sequence[Row], false: int, size: int, leaking: dict[str, tuple[int, int]]) -> list[str]:
    missed = [f"{n} values leak in {name}" for name, (n, _) in leaking.items() if n]
    if false / size * 1e6 >= PER_MEGABYTE:
        missed.append(f"{false / size * 1e6:.2f} false positives per clean MB")
    mine = {kinds: result for name, kinds, result, _ in rows if name.startswith("this project") and result}
    best = mine[frozenset()]
    if best.total.f2 < GOAL:
        missed.append(f"F2 {best.total.f2:.4f} overall")
    for kind, score in best.kinds.items():
        if score.f2 < FLOORS.get(kind, FLOOR):
            missed.append(f"F2 {score.f2:.4f} of {kind}")
    for name, kinds, result, _ in rows:
        if result and not name.startswith("this project") and result.total.f2 >= mine[kinds].total.f2:
            missed.append(f"{name} is ahead: F2 {result.total.f2:.4f}")
    return missed


def _line(name: str, score: Score | None) -> str:
    if score is None:
        return f"| {name} | not available here | | | | | |"
    shown = f"{score.precision:.4f} | {score.recall:.4f} | **{score.f2:.4f}**"
    return f"| {name} | {shown} | {score.hits} | {score.false} | {score.missed} |"


def _page(
    rows: Sequence[Row],
    false: int,
    size: int,
    leaking: dict[str, tuple[int, int]],
    numbers: list[str],
    times: list[str],
) -> str:
    head = ["| | precision | recall | F2 | found | false | missed |", "| --- | --- | --- | --- | --- | --- | --- |"]
    best = rows[0][2] or Result()
    parts = [
        _INTRO,
        "## Generated corpus",
        f"{DOCUMENTS} documents, seed {SEED}, {best.total.hits + best.total.missed} values.",
        *("\n".join([*head, *(_line(n, r.total if r else None) for n, _, r, _ in rows)]),),
        "### By kind",
        "\n".join([*head, *(_line(k, s) for k, s in sorted(best.kinds.items()))]),
        "## Published values",
        f"{len(published.documents())} texts, SHA-256 of the file `{published.FROZEN[:16]}…`.",
        "\n".join([*head, *(_line(n, r.total if r else None) for n, _, _, r in rows)]),
        "## Clean documents",
        f"{CLEAN:,} documents with hard negatives only, {size / 1e6:.2f} MB: {false} false positives, "
        f"**{false / size * 1e6:.2f} per MB**.",
        "## What leaves",
        f"{LEAKING} other documents, each in every wrapping, redacted, then undone in every way there is: values that "
        "are still in the bytes.",
        "\n".join(["| wrapping | leaked | of |", "| --- | --- | --- |"]
                  + [f"| {name} | **{got}** | {of} |" for name, (got, of) in leaking.items()]),
        "## Check digits beside python-stdnum",
        "\n".join(["| kind | numbers | valid by both | by ours only | by python-stdnum only |",
                   "| --- | --- | --- | --- | --- |", *numbers]),
        "## Times of this run",
        "Wall time on whatever machine wrote this page; only the ratios mean anything.",
        "\n".join(["| tool | MB | seconds | MB/s |", "| --- | --- | --- | --- |", *times]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


_INTRO = """# Scores of redaction

Written by `make bench-dlp`; do not edit. The generator, the scorer and the peers are in `bench/dlp/`.

A value counts as found when a predicted span covers at least half of both together; which kind is named is not asked,
since tools name kinds differently. F2 weighs recall four times as much as precision. The corpus holds JSON (nested, in
lists, in strings, as numbers, labelled), XML, forms, multipart, SQL, GraphQL and logs with values of eighteen countries
between hard negatives; field names are English or local. Names, streets and dates of birth stand under names of fields;
names of people in running text are not part of it.

Presidio runs with the predefined recognisers that it switches on for English, and once more with every recogniser that
it ships, of all countries; both on a blank pipeline (patterns, checks and context; no trained model), all scores
accepted. detect-secrets runs its default plugins and filters, gitleaks its own rules. Rows with "only" count the kinds
that the peer has recognisers for, and nothing it finds on values of other kinds counts against it. Peers see the same
bytes, which for XML, forms and escaped JSON is not what they were made for."""


if __name__ == "__main__":
    sys.exit(main())
