"""Triggers: what could hide a value from a search of raw bytes, so that it has to be decoded and searched again.

The prefilter's database holds them beside the detectors' patterns; `engine` looks only into the encodings that fired.
Ids below FIRST belong to them. A new encoding is one id here and one view in `engine`.
"""

from __future__ import annotations

from .detectors import parties

# Ids of what is no detector; detectors are numbered from FIRST.
KEY, ESCAPE, PERCENT, ENTITY, UTF16, RUN, NUMBER, PACKED, HOLDS, VARIANT = range(10)
FIRST = 16

_A = r"[A-Za-z0-9+/_\-]"
_EDGE = r"(?:^|[^A-Za-z0-9+/_\-])"
_S = "[CDI-Za-f]"  # what the first of four base64 characters is where they begin with an ASCII character
# Three bytes of ASCII text in base64: 0x20-0x7f each, whatever stands around them.
_GROUP = r"[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_\-]"

TRIGGERS: tuple[tuple[int, str, bool], ...] = (
    *((HOLDS, pattern, True) for pattern in parties.HOLDS),
    (ESCAPE, r"\\[u/x0-9nrtbf\"\\]", False),
    (PERCENT, r"%[0-9A-Fa-f]{2}", False),
    (ENTITY, r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});", False),
    (UTF16, r"[\x09-\x7e]\x00[\x09-\x7e]\x00[\x09-\x7e]\x00|\x00[\x09-\x7e]\x00[\x09-\x7e]\x00[\x09-\x7e]", False),
    (UTF16, r"(?:[\x09-\x7e]\x00{3}){3}", False),
    # base64 of text: the first byte is ASCII (or begins UTF-8, or UTF-16), the fourth or seventh is ASCII.
    (RUN, rf"{_EDGE}(?:{_S}{_A}{{3}}{_S}{_A}{{9}}|{_S}{_A}{{7}}{_S}{_A}{{5}})", False),
    (RUN, rf"{_EDGE}(?:[w-z0-9][I-LYZabo-r4-7]|A[A-H]){_A}{{2}}(?:{_S}{_A}{{9}}|{_A}{{4}}{_S}{_A}{{5}})", False),
    # base64 of gzip, Zstandard and zlib
    (RUN, rf"{_EDGE}(?:H4sI|KLUv|e(?:A[E-H]|J[w-z]|N[o-r]|F[4-7])){_A}{{10}}", False),
    # the same behind a slash, an underscore or a dash, as in paths
    (RUN, rf"[/_\-](?:{_S}{_A}{{3}}{_S}{_A}{{3}}{_S}{_A}{{5}}|H4sI{_A}{{10}})", False),
    # base64 of something binary that has text in it
    (RUN, rf"(?:{_GROUP}){{3}}", False),
    # base64 and hex of UTF-16 and UTF-32, wherever they begin
    (RUN, r"(?:[I-Za-f][AQgw][AB][A-Za-z0-9+/_\-]A[C-H][AEIMQUYcgkosw048]A){2}", False),
    (RUN, r"(?:AAA[A-Za-z0-9+/_\-]{1,4}){4}|(?:[2-7][0-9A-Fa-f](?:00){1,3}){4}|(?:00[2-7][0-9A-Fa-f]){4}", False),
    # base64 of raw deflate, which shows in nothing but the name it stands under
    (RUN, "SAML(?:Request|Response)=", False),
    # hex of text, and of gzip and Zstandard
    (RUN, r"(?:[2-7][0-9A-Fa-f]){8}|1[fF]8[bB]0[08]|28[bB]52[fF][fF][dD]", False),
    # a long number written with an exponent
    (NUMBER, r"[0-9]{11}[eE][+\-]?[0-9]", False),
    # characters that read like ASCII ones
    (
        VARIANT,
        r"(?:\xef\xbc[\x90-\x99]|\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xe0\xa5[\xa6-\xaf]|\xe0\xb9[\x90-\x99]){3}",
        False,
    ),
    (
        VARIANT,
        r"\xef\xbc\xa0|[0-9](?:\xc2\xa0|\xe2\x80[\x80-\x8a\x90-\x95\xaf]|\xe3\x80\x80|\xef\xbc[\x8b-\x8f])[0-9]",
        False,
    ),
    (
        VARIANT,
        r"[0-9A-Za-z@.\-](?:\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xa4]|\xef\xbb\xbf|\xc2\xad)[0-9A-Za-z@.\-]",
        False,
    ),
    # gzip and Zstandard inside something else (a part, a frame)
    (PACKED, r"\x1f\x8b\x08[\x00-\x1f]|\x28\xb5\x2f\xfd", False),
)
