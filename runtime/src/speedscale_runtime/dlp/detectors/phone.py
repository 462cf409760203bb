"""Phone numbers: international ones that `phonenumbers` calls possible, North American ones as they are written.

Bare digits count by key name only. Left alone: parts of GUIDs and of dashed ids, dates, decimals.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .base import Detector, KeyRule, Verdict, whole

_INTERNATIONAL = re.compile(rb"(?<![\w+])\+[1-9](?:[ \-().\xa0]{0,2}\d){6,14}(?!\d)(?![\-]\d)")
# what a person types into a field for a phone: separators of all kinds, an extension, `tel:`
_SHAPE = re.compile(
    rb"(?:tel:|whatsapp:)?(?:[+()\[\]\d .,\-/*#x]|\xc2\xa0|\xe2\x80[\x8e-\x95\xaa-\xaf]|\xef\xbc\x8b){6,48}"
    rb"(?:(?:ext|extension|poste|int|Durchwahl)[.: ]{0,3}\d{1,6})?",
    re.IGNORECASE,
)
_NANP = re.compile(
    rb"(?<![\w.\-+/])(?:\+?1[ .\-])?(?:\(([2-9]\d{2})\) ?|([2-9]\d{2})([ .\-]))([2-9]\d{2})([ .\-])(\d{4})"
    rb"(?![\w]|[\-.]\d)"
)


_BEFORE = re.compile(rb"\d[ ,\-]\Z")
_OTHER = re.compile(
    rb"(?i)(?<![a-z])(?:order|invoice|nhs|account|case|ticket|ref|reference|serial|tracking|batch|claim|policy|part|article)"
    rb"(?: ?(?:number|no|nr|id)\b)?[ .:#=]{0,3}\Z"
)
_AMONG = re.compile(rb"[ ,\-]{1,2}\d")


@lru_cache(maxsize=8192)
def _possible(text: str) -> bool:
    import phonenumbers  # half of the import time of this package: only when there is a candidate

    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(text, None)))
    except phonenumbers.NumberParseException:
        return False


def _validate_international(match: re.Match[bytes], data: bytes) -> Verdict:
    digits = "+" + "".join(chr(c) for c in match.group() if 48 <= c <= 57)
    if not _possible(digits):
        return "no possible number of its country"
    return whole(match, "+, country code, a possible length")


def _validate_nanp(match: re.Match[bytes], data: bytes) -> Verdict:
    area = match.group(1) or match.group(2)
    if area.endswith(b"11") or (match.group(4).endswith(b"11") and match.group(4) != b"511"):
        return "N11 is a service code"
    if match.group(3) is not None and match.group(3) != match.group(5):
        return "two different separators"
    if (
        match.group(3) == b" "
        and _AMONG.match(data, match.end())
        and _BEFORE.search(data, max(0, match.start() - 8), match.start())
    ):
        return "one of many numbers"
    if match.group(3) == b" " and _OTHER.search(data, max(0, match.start() - 32), match.start()):
        return "behind a word for another number"
    return whole(match, "area code, exchange and line as written in North America")


_ELSEWHERE = (
    "telefon", "telefonnummer", "handy", "handynummer", "mobilnummer", "rufnummer", "téléphone", "numéro téléphone",
    "teléfono", "telefono", "celular", "móvil", "cellulare", "telefone", "telemóvel", "telefoon", "telefoonnummer",
    "mobiel", "komórka", "mobilní", "puhelin", "puhelinnumero", "telefonszám", "cep telefonu", "gsm", "τηλέφωνο",
    "телефон", "номер телефона", "мобильный", "電話番号", "電話", "携帯", "电话", "電話號碼", "手机", "手機", "手机号",
    "전화번호", "전화", "연락처", "shouji", "shoujihao", "numer telefonu", "nr telefonu", "recapito telefonico",
    "mobil", "mobilnummer", "téléphone portable", "numéro portable", "portable", "tlf", "telf1", "telf2",
    "휴대폰", "هاتف", "رقم الهاتف", "الجوال", "טלפון", "फ़ोन", "मोबाइल", "โทรศัพท์", "điện thoại",
)  # fmt: skip


def _accept(value: bytes) -> str:
    if _SHAPE.fullmatch(value.strip()) is None:
        return ""
    return "digits of a phone number under a key for it" if 6 <= sum(48 <= c <= 57 for c in value) <= 20 else ""


_NATIONAL = re.compile(
    rb"(?<![\w+.\-/:,()])(?<!\d )"
    rb"(?:0[1-9](?:([ .\-])\d\d)(?:\1\d\d){3}|0\d{1,4}-\d{1,4}-\d{3,4}|01[016789]-\d{3,4}-\d{4}"
    rb"|0\d{2,4} \d{3,4} \d{3,6}|\(0?\d{2,5}\) ?9?\d{3,4}[ \-]?\d{4}|8 ?\(\d{3}\) ?\d{3}[ \-]\d\d[ \-]\d\d"
    rb"|1[3-9]\d[ \-]\d{4}[ \-]\d{4}|0\d{2,5}/\d{5,9}|00[1-9]\d{0,2}[ \-.]\(?\d(?:[ \-.()]{0,2}\d){6,12})"
    rb"(?![\w]|[.\-:/,]\d| \d\d)"
)
_REGIONS = ("FR", "JP", "KR", "GB", "BR", "RU", "CN", "DE", "IT", "NL", "TR", "AU", "IN")
_NEAR = re.compile(
    rb"(?i)(?<![A-Za-z])(?:phone|telephone|tel|mobile|mob|cell|call|fax|sms|text|whatsapp|telefon\w{0,8}|t\xc3\xa9l\w{0,10}"
    rb"|tel\xc3\xa9fono|telefono|telefone|telefoon|celular|m\xc3\xb3vil|handy|mobil\w{0,6}|appelez|llame|ligue|rufen|anrufen"
    rb"|puhelin|\xd1\x82\xd0\xb5\xd0\xbb\w{0,2}|\xd1\x82\xd0\xb5\xd0\xbb\xd0\xb5\xd1\x84\xd0\xbe\xd0\xbd"
    rb"|\xe9\x9b\xbb\xe8\xa9\xb1|\xe6\x89\x8b\xe6\x9c\xba|\xe7\x94\xb5\xe8\xaf\x9d|\xec\xa0\x84\xed\x99\x94)(?![A-Za-z])"
)
_ANY = re.compile(rb"(?<![\w+.\-/])\(?[0-9](?:[ .\-/()]{0,2}[0-9]){6,13}(?![\w]|[.\-:/]\d)")


@lru_cache(maxsize=8192)
def _valid_somewhere(text: str) -> bool:
    import phonenumbers

    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(text, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def _validate_national(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group().decode("ascii")
    if text.startswith("00"):
        return whole(match, "00, country code, a possible length") if _possible("+" + _digits(text)[2:]) else _NOWHERE
    if not _valid_somewhere(text):
        return _NOWHERE
    return whole(match, "written and valid as in a country that writes numbers this way")


_NOWHERE = "no valid number of a country that writes numbers this way"


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _validate_near(match: re.Match[bytes], data: bytes) -> Verdict:
    count = sum(48 <= c <= 57 for c in match.group())
    if not 7 <= count <= 15:
        return "too few or too many digits"
    if _DATE.match(match.group()):
        return "a date"
    words = list(_NEAR.finditer(data, max(0, match.start() - 40), match.start()))
    if not words or re.search(rb"[0-9]|[.;!?] ", data[words[-1].end() : match.start()].strip(b" .")):
        return "no word for a phone just before it"
    return whole(match, "digits of a phone number behind a word for it")


_DATE = re.compile(rb"(?:19|20)\d\d[-./ ][01]?\d[-./ ][0-3]?\d(?!\d)|[0-3]?\d[-./][01]?\d[-./](?:19|20)\d\d(?!\d)")

DETECTORS = (
    Detector(
        name="phone_international",
        kind="PHONE",
        prefilter=(r"\+[1-9](?:[ \-+().\xa0]{0,2}[0-9]){6}",),
        grammar=_INTERNATIONAL,
        validate=_validate_international,
        before=32,
        after=32,
        examples=("+14155552671", "+44 20 7946 0958", "tel:+49-30-901820", "+1 (415) 555-2671"),
        counter_examples=("+1234567", "+99912345678", "1+4155552671", "+01:00"),
        group="phone",
    ),
    Detector(
        name="phone_nanp",
        kind="PHONE",
        prefilter=(r"[2-9][0-9]{2}\)?[ .\-+]?[2-9][0-9]{2}[ .\-+][0-9]{4}",),
        grammar=_NANP,
        validate=_validate_nanp,
        before=24,
        after=4,
        examples=("(415) 555-2671", "415-555-2671", "415.555.2671", "1-415-555-2671", "212 555 0187"),
        counter_examples=(
            "411-555-2671",
            "115-555-2671",
            "415-555-26711",
            "a415-555-2671b",
            "415-555.2671",
            "6f1f7e5a-415-555-2671",
            "c366 310 780 724 1650 1583 1630",
            "order 943 476 5919",
            "NHS number 943 476 5918",
        ),
        group="phone",
    ),
    Detector(
        name="phone_national",
        kind="PHONE",
        prefilter=(
            r"(?:^|[^0-9A-Za-z+.\-/])0[1-9](?:[ .\-+][0-9]{2}){4}",
            r"(?:^|[^0-9A-Za-z+.\-/])0[0-9]{1,4}[\-/ +][0-9]{3,6}",
            r"\(0?[0-9]{2,5}\)[ +]?9?[0-9]{3,4}[ \-+]?[0-9]{4}",
            r"\([0-9]{3}\)[ +]?[0-9]{3}[ \-+][0-9]{2}[ \-+][0-9]{2}",
            r"1[3-9][0-9][ \-+][0-9]{4}[ \-+][0-9]{4}",
            r"(?:^|[^0-9A-Za-z+.\-/])00[1-9][0-9]{0,2}[ \-.+]\(?[0-9]{1,5}",
        ),
        grammar=_NATIONAL,
        validate=_validate_national,
        before=28,
        after=28,
        examples=(
            "06 12 34 56 78",
            "090-1234-5678",
            "010-1234-5678",
            "020 7946 0958",
            "(11) 98765-4321",
            "8 (912) 345-67-89",
            "138-0013-8000",
            "0171/2345678",
            "0049 30 901820",
        ),
        counter_examples=(
            "01 02 03 04 05 06",
            "0-306-40615-2",
            "00 11 22 33",
            "2024-01-02",
            "a06 12 34 56 78",
            "000-0000-0000",
        ),
        group="phone",
    ),
    Detector(
        name="phone_near_word",
        kind="PHONE",
        prefilter=(
            r"(?:phone|mobile?|cell|celular|call|fax|sms|whatsapp|telef|tel|t\xc3\xa9l|handy|rufen|appelez|llame|puhelin)"
            r"[^0-9\n]{0,20}[0-9(](?:[ .\-/()+]{0,2}[0-9]){6}",
            r"(?:тел|電話|手机|电话|전화)[^0-9\n]{0,20}[0-9(](?:[ .\-/()+]{0,2}[0-9]){6}",
        ),
        grammar=_ANY,
        validate=_validate_near,
        before=96,
        after=28,
        examples=(
            "call me at 5552671 90",
            "Tel.: 030 901820",
            "Telefon 0664/1234567",
            "mobile 9876543210",
            "电话 01082345678",
        ),
        counter_examples=(
            "call 2024-01-02 09",
            "phone order 12",
            "telemetry 12345678",
            "tel 123456",
            "phone model 5; id 12345678",
        ),
        caseless=True,
        group="phone",
        near=_NEAR,
    ),
)
KEY_RULES = (
    KeyRule(
        name="phone_key",
        kind="PHONE",
        names=(
            "phone",
            "phone number",
            "phonenumber",
            "mobile",
            "mobile number",
            "cell phone",
            "cellphone",
            "telephone",
            "msisdn",
            "fax",
            "fax number",
            "whatsapp",
            "phone no",
            "mobile no",
            "mobile phone",
            "contact number",
            "contact no",
            "landline",
            "telephone number",
            "caller number",
            "caller id",
            "cell number",
            "phones",
            "phone numbers",
            "telephones",
            "mobiles",
            "tel no",
            "tel number",
            "cell no",
            "fax no",
            "sms number",
            "from number",
            "to number",
            "phone num",
            *_ELSEWHERE,
        ),
        exact=("tel", "cell"),
        excluded=frozenset(
            (
                "id",
                "type",
                "model",
                "os",
                "version",
                "country",
                "code",
                "verified",
                "prefix",
                "format",
                "pattern",
                "regex",
                "required",
                "label",
                "app",
                "platform",
                "plan",
                "brand",
                "count",
            )
        ),
        accept=_accept,
        numbers=True,
        nested=True,
        examples=(
            ("phone", "4155552671"),
            ("mobileNumber", "020 7946 0958"),
            ("tel", "+1 415 555 2671"),
            ("Handynummer", "0171/2345678"),
            ("手机号", "13800138000"),
            ("phone", "001-432-555-0181x6512"),
            ("homePhones", "01214960992"),
            ("telNo", "01514960951"),
        ),
        counter_examples=(("phone_type", "4155552671"), ("phone", "none"), ("telemetry", "4155552671")),
        group="phone",
    ),
)
