"""Regular expressions of filter rules, matched in linear time.

Called by `operators`. The syntax is that of Go's RE2 as users of the vendor's rules know it. Hyperscan runs the
expression: it takes PCRE's syntax without look-around and back-references, which is what Go takes too, and like Go
it never backtracks, so no expression and no traffic can stall a service. An expression is searched for anywhere in
the value; `^` and `$` anchor it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import hyperscan

_FLAGS = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY | hyperscan.HS_FLAG_UTF8


def compile_regex(pattern: str) -> Callable[[str], bool]:
    """Return a predicate over text; ValueError with Hyperscan's reason when it does not take the expression."""
    database = hyperscan.Database()
    try:
        database.compile(expressions=[_translated(pattern).encode("utf-8")], flags=[_FLAGS])
    except hyperscan.error as error:
        raise ValueError(f"regular expression {pattern!r}: {str(error).rstrip('.')}") from None
    except UnicodeEncodeError:
        raise ValueError(f"regular expression {pattern!r}: not valid Unicode") from None
    local = threading.local()  # a scratch space must not be used by two threads at once

    def search(text: str) -> bool:
        scratch = getattr(local, "scratch", None)
        if scratch is None:
            scratch = local.scratch = hyperscan.Scratch(database)
        hits: list[int] = []
        database.scan(text.encode("utf-8", "replace"), _on_match, context=hits, scratch=scratch)
        return bool(hits)

    return search


def _on_match(expression: int, start: int, end: int, flags: int, context: object) -> None:
    if isinstance(context, list):
        context.append(end)


def _translated(pattern: str) -> str:
    """Turn what Go writes otherwise: `$` outside multi-line mode is the very end of the text (`\\z`).

    `(?U)` (ungreedy) changes what is captured, never whether there is a match: it is taken out.
    """
    out: list[str] = []
    i, in_class, multiline = 0, False, False
    while i < len(pattern):
        c = pattern[i]
        if c == "\\":
            if pattern.startswith("\\Q", i) and not in_class:
                stop = pattern.find("\\E", i + 2)
                stop = len(pattern) if stop < 0 else stop + 2
            else:
                stop = i + 2
            out.append(pattern[i:stop])
            i = stop
            continue
        if in_class:
            in_class = c != "]"
        elif c == "[":
            in_class = True
            lead = 2 if pattern.startswith("[^", i) else 1
            lead += 1 if pattern.startswith("]", i + lead) else 0  # a leading ] stands for itself
            out.append(pattern[i : i + lead])
            i += lead
            continue
        elif c == "(" and pattern.startswith("(?", i):
            flags = pattern[i + 2 :].split(")", 1)[0].split(":", 1)[0]
            if flags and set(flags) <= set("imsU-"):
                multiline = multiline or "m" in flags.split("-", 1)[0]
                kept = flags.replace("U", "").rstrip("-")
                closed = pattern[i + 2 + len(flags) : i + 3 + len(flags)]
                out.append("" if not kept and closed == ")" else f"(?{kept}{closed}")
                i += 3 + len(flags)
                continue
        elif c == "$" and not multiline:
            c = "\\z"
        out.append(c)
        i += 1
    return "".join(out)
