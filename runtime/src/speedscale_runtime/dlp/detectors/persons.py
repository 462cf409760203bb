"""Names of people in running text, where what stands before them says so: a form of address, a mail header, a vCard.

`Dear Ms Ada Byron,`, `Dr. Ada Byron`, `"Byron, Ada" <ada@…>` (RFC 5322 section 3.4), `FN:Ada Byron` (RFC 6350 section
6.2), the line below `Kind regards,`. Capitalised words alone are no name: most of them are products, places and titles.
"""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole

_UPPER = rb"(?:[A-Z]|\xc3[\x80-\x9e]|\xc5[\x81\x98\x9a\xa0\xbb\xbd]|\xc4[\x8c\xb0])"
_LOWER = rb"(?:[a-z'\-]|\xe2\x80\x99|[\xc3-\xc5][\x80-\xbf]|(?<=[a-z'\-])[A-Z](?=[a-z]))"
_WORD = _UPPER + rb"(?:" + _LOWER + rb"{1,24}|\.)"
_JOINT = rb" (?:(?:van|von|der|den|de|da|do|dos|di|la|le|del|el|bin|al|zu) ){0,3}"
_NAME = _WORD + rb"(?:" + _JOINT + _WORD + rb"){0,3}"
_FULL = _WORD + rb"(?:" + _JOINT + _WORD + rb"){1,3}"
_TITLE = (
    rb"(?:Mr|Mrs|Ms|Mx|Dr|Prof|Herrn?|Frau|Mme|Mlle|Monsieur|Madame|Se\xc3\xb1ora?|Signora?|Mevrouw|Meneer|Sra|Sr|Dra)"
)
_NOBODY = frozenset(
    b"World Customer All Team Sir Madam Friend Everyone There User Users Folks Guys Colleague Colleagues Reader Hiring "
    b"Partner Member Members Student Client Kunde Kundin Damen Support Service Sales The Your Our Shop Store Office "
    b"Company Manager Santa Diary Valued Account Group Dr Dr. Prof Prof. Mr Mr. Mrs Mrs. Ms Ms. Herr Frau".split()
)
_ROAD = re.compile(rb"[A-Z0-9][A-Za-z0-9.]* \Z")
_VCARD_REACH = 4096


def _people(name: bytes) -> bool:
    return _NOBODY.isdisjoint(name.split())


def _validate_title(match: re.Match[bytes], data: bytes) -> Verdict:
    if match.group(1).startswith((b"Dr", b"Sr")) and _ROAD.search(data, max(0, match.start() - 24), match.start()):
        return "behind a capitalised word Dr and Sr mean something else"
    if match.group(1) in (b"Sr", b"Sra", b"Dra") and match.group(2) != b".":
        return "Sr without a full stop"
    if len(match.group(3)) < 3 or not _people(match.group(3)):
        return "nobody's name"
    return whole(match, "capitalised words behind a form of address", 3)


def _validate_dear(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "a name behind a salutation", 1) if _people(match.group(1)) else "nobody's name"


def _validate_regards(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "the line below a closing of a letter", 1) if _people(match.group(1)) else "nobody's name"


def _validate_mailbox(match: re.Match[bytes], data: bytes) -> Verdict:
    group = 1 if match.group(1) is not None else 2
    return whole(match, "the display name of a mailbox", group) if _people(match.group(group)) else "nobody's name"


def _validate_card(match: re.Match[bytes], data: bytes) -> Verdict:
    if data.rfind(b"BEGIN:VCARD", max(0, match.start() - _VCARD_REACH), match.start()) < 0:
        return "no vCard begins before it"
    return whole(match, "a property of a vCard", 1)


def _validate_attendee(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "the common name of an attendee", 1)


def _card(name: str, kind: str, properties: str, example: str) -> Detector:
    return Detector(
        name=name,
        kind=kind,
        prefilter=(rf"(?:^|\n)(?:item[0-9]\.)?(?:{properties})(?:;[^:\n]{{0,80}})?:[^\r\n]",),
        grammar=re.compile(
            rb"(?:(?<=\n)|(?<![^\n]))(?:item\d\.)?(?:"
            + properties.encode()
            + rb")(?:;[^:\r\n]{0,80})?:([^\r\n]{2,200})"
        ),
        validate=_validate_card,
        before=128,
        after=256,
        examples=(f"BEGIN:VCARD\r\n{example}\r\n",),
        counter_examples=(f"BEGIN:VEVENT\r\n{example}\r\n",),
        group="name" if kind == "NAME" else "",
    )


DETECTORS = (
    Detector(
        name="name_title",
        kind="NAME",
        prefilter=(
            r"(?:^|[^A-Za-z])(?:M[rsx]s?|Dra?|Prof|Herrn?|Frau|M(?:me|lle)|Monsieur|Madame|Se\xc3\xb1ora?|Signora?"
            r"|Mevrouw|Meneer|Sra?)\.? (?:[A-Z]|[\xc3-\xc5])",
        ),
        grammar=re.compile(
            rb"(?<![A-Za-z\x80-\xff.])(" + _TITLE + rb")(\.?) (?:(?:Dr|Prof)\. ){0,2}(" + _NAME + rb")(?![A-Za-z])"
        ),
        validate=_validate_title,
        before=24,
        after=128,
        examples=("Dear Ms Maria Schmidt,", "seen by Dr. Ana de la Cruz today", "Frau Müller", "an Herrn Prof. Weiß"),
        counter_examples=(
            "12 Sunset Dr Los Angeles",
            "a Sr Engineer",
            "MS Office",
            "Mr. and more",
            "Dear Mr Customer",
            "Frau K.",
        ),
        group="name",
    ),
    Detector(
        name="name_salutation",
        kind="NAME",
        prefilter=(
            r"(?:Dear|Liebe[r]?|Ch(?:er|\xc3\xa8re)|Estimad[oa]|Querid[oa]|Car[oa]|Prezad[oa]|Beste) [A-Z\xc3-\xc5]",
        ),
        grammar=re.compile(
            rb"(?<![A-Za-z])(?:Dear|Lieber?|Ch(?:er|\xc3\xa8re)|Estimad[oa]|Querid[oa]|Car[oa]|Prezad[oa]|Beste) ("
            + _NAME
            + rb")(?=[,!:]|\r?\n)"
        ),
        validate=_validate_dear,
        before=24,
        after=128,
        examples=("Dear Maria,", "Chère Hélène Dupont,", "Estimado Juan:"),
        counter_examples=("Dear Customer,", "Dear Hiring Manager,", "my dear Watson", "Dear all,"),
        group="name",
    ),
    Detector(
        name="name_closing",
        kind="NAME",
        prefilter=(
            r"(?:egards|incerely|ishes|heers|yours|r\xc3\xbc\xc3\x9fen|ordialement|aludos|tentamente|aluti|roeten)"
            r"[,.!]?[ \t]{0,4}\r?\n[ \t\r\n]{0,8}[A-Z\xc3-\xc5]",
        ),
        grammar=re.compile(
            rb"(?:[Rr]egards|[Ss]incerely|[Ww]ishes|[Cc]heers|[Yy]ours|[Gg]r\xc3\xbc\xc3\x9fen|[Cc]ordialement|[Ss]aludos"
            rb"|[Aa]tentamente|[Ss]aluti|[Gg]roeten)"
            rb"[,.!]?[ \t]{0,4}\r?\n[ \t\r\n]{0,8}(" + _FULL + rb")(?=[ \t]*(?:\r?\n|\Z))"
        ),
        validate=_validate_regards,
        before=40,
        after=160,
        examples=("Kind regards,\nMaria Schmidt\n", "Mit freundlichen Grüßen\n\nJörg von der Heide"),
        counter_examples=("Kind regards,\nYour Shop Team\n", "Kind regards\nnext line", "Best wishes,\nMaria is here"),
        group="name",
    ),
    Detector(
        name="name_mailbox",
        kind="NAME",
        prefilter=(r"[^ <>@\r\n] ?<[A-Za-z0-9._%+\-]{1,64}@",),
        grammar=re.compile(
            rb"(?:\"([^\"<>@\r\n\\]{2,60})\\?\"|(?<![A-Za-z\x80-\xff@.])("
            + _FULL
            + rb")) ?(?=<[A-Za-z0-9._%+\-]{1,64}@)"
        ),
        validate=_validate_mailbox,
        before=160,
        after=4,
        examples=('"Byron, Ada" <ada@example.org>', "From: Ada Byron <ada@example.org>"),
        counter_examples=("sales <sales@example.org>", '"Support Team" <help@example.org>'),
        group="name",
    ),
    Detector(
        name="name_attendee",
        kind="NAME",
        prefilter=(r"(?:ATTENDEE|ORGANIZER)[^:\n]{0,120};CN=[^\r\n]",),
        grammar=re.compile(rb"(?:ATTENDEE|ORGANIZER)[^:\r\n]{0,120};CN=\"?([^\";:\r\n]{2,80})"),
        validate=_validate_attendee,
        before=160,
        after=128,
        examples=(
            'ORGANIZER;CN="Ada Byron":mailto:a@example.org',
            "ATTENDEE;RSVP=TRUE;CN=Ada Byron:mailto:a@b.example",
        ),
        counter_examples=("subject=CN=Ada", "ORGANIZER:mailto:x"),
        group="name",
    ),
    _card("vcard_name", "NAME", "FN|N|NICKNAME|SORT-STRING", "FN:Ada Byron"),
    _card("vcard_birth", "BIRTH_DATE", "BDAY", "BDAY:18151210"),
    _card("vcard_address", "ADDRESS", "ADR|LABEL", "ADR;TYPE=HOME:;;12 Elm Street;Town;;12345;US"),
)
