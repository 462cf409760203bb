"""What people are called after their part in a record: `{"customer": {"name": …}}`, `"physician": "Ada Lovelace"`.

Called by `keynames` and the readers of JSON and XML. Under such a name a bare `name` is a person's; a number under
`card` or `passport` is that of the card. A text right under one counts where it is written like a name.
"""

from __future__ import annotations

import re

from .base import KeyRule

_PEOPLE = (
    "patient", "passenger", "traveler", "traveller", "applicant", "borrower", "beneficiary", "cardholder",
    "card holder", "account holder", "payer", "payee", "recipient", "spouse", "insured", "policyholder",
    "policy holder", "attendee", "consignee", "physician", "practitioner", "guardian", "next of kin",
    "emergency contact", "signatory", "claimant", "employee", "student", "guest", "supervisor", "manager", "debtor",
    "kunde", "versicherter", "patientin", "cliente", "paciente", "destinataire", "empfänger",
)  # fmt: skip
_ALSO = ("customer", "person", "contact", "user", "buyer", "driver", "holder", "sender", "receiver", "author",
         "reporter", "assignee", "committer", "shipping", "billing", "ship to", "bill to")  # fmt: skip
_NUMBERED = ("card", "credit card", "creditcard", "debit card", "payment card", "passport", "document", "license",
             "licence", "driver license", "drivers license", "account", "bank account", "phone",
             "recovery question", "security question")  # fmt: skip
_WORD = r"(?:[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:['’\-][^\W\d_]+)*\.?|d[aeo]s?|de[lnr]?|v[ao]n|di|du|la|le|al|el|bin|und|y|e)"
_NAME = re.compile(rf"(?:(?:Dr|Mr|Mrs|Ms|Prof)\.? )?[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:['’\-.][^\W\d_]+)*\.?(?: {_WORD}){{1,4}}")


def _pattern(names: tuple[str, ...]) -> str:
    return "|".join("[ _-]?".join(n.split()) for n in names)


PEOPLE = frozenset("".join(n.split()) for n in (*_PEOPLE, *_ALSO))
"""Names of objects in which a bare `name` is a person's, in lower case without what joins their words."""
NUMBERED = frozenset("".join(n.split()) for n in _NUMBERED)
"""Names of objects whose `number` is what they are about."""
NUMBERS = frozenset((b"number", b"no", b"num", b"answer"))
_OPENS = r'"[ \t\r\n]*:[ \t\r\n]*(?:\[[ \t\r\n]*)?\{[^{}]{0,160}"'
HOLDS = (
    rf'(?:{_pattern((*_PEOPLE, *_ALSO))})s?{_OPENS}name"',
    rf'(?:{_pattern(_NUMBERED)})s?{_OPENS}(?:number|no|num|answer)"',
    rf'name{_OPENS}(?:formatted|text|given|family)"',
)
"""Patterns (caseless) of JSON in which what is around a field says what it is."""


def _accept(value: bytes) -> str:
    text = value.strip().decode("utf-8", "replace")
    if not 5 <= len(text) <= 80 or _NAME.fullmatch(text) is None:
        return ""
    return "written like a name, under a key for somebody"


KEY_RULES = (
    KeyRule(
        name="party",
        kind="NAME",
        names=(),
        exact=_PEOPLE,
        accept=_accept,
        examples=(("manager", "Ava Sullivan"), ("physician", "Dr. Ana María de la Cruz"), ("spouse", "Bo O'Neil")),
        counter_examples=(("manager", "helm"), ("recipient", "ops-team"), ("manager", "kube controller")),
        group="name",
    ),
)
