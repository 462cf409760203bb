"""Build HTML that is escaped by construction: whatever is no `Html` is data, and data is escaped.

Used by the page and its parts only. There is no other way to put text into the page.
"""

from __future__ import annotations

import html

_VOID = frozenset({"br", "input", "meta", "link", "rect", "line", "polyline", "circle", "path"})
_VISIBLE = {c: 0x2400 + c for c in range(32) if c not in (9, 10)} | {
    c: f"\\u{c:04x}" for c in (0x7F, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
}
"""Control characters become their pictures and direction marks their escapes: neither may rearrange a line."""


class Html(str):
    """Markup that is already safe."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return data as markup: escaped, with control characters made visible."""
    if isinstance(value, Html):
        return value
    plain = str(value).translate(_VISIBLE)
    return Html(html.escape(plain.encode("utf-8", "replace").decode("utf-8"), quote=True))


def join(*parts: object) -> Html:
    """Return parts one after the other; None and False are left out."""
    return Html("".join(text(p) for p in parts if p is not None and p is not False))


def el(tag: str, *children: object, **attributes: object) -> Html:
    """Return an element. `class_` is class, `_` in other names is `-`; None and False leave an attribute out."""
    opening = [tag]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        key = name.rstrip("_").replace("_", "-")
        opening.append(key if value is True else f'{key}="{text(value)}"')
    if tag in _VOID and not children:
        return Html(f"<{' '.join(opening)}/>")
    return Html(f"<{' '.join(opening)}>{join(*children)}</{tag}>")
