"""India, Pakistan, China, Hong Kong, Taiwan, Japan, Korea, Singapore, Malaysia, Thailand, Indonesia.

Sources: UIDAI (Aadhaar, Verhoeff), Income Tax Department (PAN), NADRA (CNIC), GB 11643 (resident identity card, ISO
7064 modulo 11 radix 2), Hong Kong and Taiwan identity cards, Japan's My Number (modulo 11), Korean resident
registration numbers, Singapore's NRIC and FIN, MyKad, Thai identity cards, Indonesian NIK.
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import day, mod_11_2, verhoeff, weighted

from .base import Scheme

_WRONG = "wrong check digit"
_TW = (10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33)


def _aadhaar(text: bytes) -> str:
    if text == text[::-1]:
        return "the same backwards"
    return "" if verhoeff(text) else "fails the Verhoeff check"


def _pan(text: bytes) -> str:
    return "" if text[5:9] != b"0000" else "number 0000 is never issued"


def _cnic(text: bytes) -> str:
    return "" if 49 <= text[0] <= 55 else "no province"


def _ric(text: bytes) -> str:
    if not day(int(text[10:12]), int(text[12:14])):
        return "no date in it"
    return "" if mod_11_2(text) else "fails modulo 11, radix 2"


def _hkid(text: bytes) -> str:
    letters = text[:-7]
    total = 324 if len(letters) == 1 else (letters[0] - 55) * 9
    total += (letters[-1] - 55) * 8 + weighted(text[-7:-1], range(7, 1, -1))
    return "" if (total + (10 if text[-1:] == b"A" else text[-1] - 48)) % 11 == 0 else _WRONG


def _tw(text: bytes) -> str:
    code = _TW[text[0] - 65]
    total = code // 10 + code % 10 * 9 + weighted(text[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))
    return "" if total % 10 == 0 else _WRONG


def _jp(text: bytes) -> str:
    rest = weighted(text, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return "" if (0 if rest <= 1 else 11 - rest) == text[11] - 48 else _WRONG


def _kr(text: bytes) -> str:
    if not day(int(text[2:4]), int(text[4:6])):
        return "no date in it"
    return ""  # since October 2020 the last digit checks nothing


def _sg(text: bytes) -> str:
    total = weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + {84: 4, 71: 4, 77: 3}.get(text[0], 0)
    letters = {83: b"JZIHGFEDCBA", 84: b"JZIHGFEDCBA", 77: b"XWUTRQPNJLK"}.get(text[0], b"XWUTRQPNMLK")
    place = total % 11
    return "" if letters[10 - place if text[:1] == b"M" else place] == text[8] else "wrong check letter"


def _my(text: bytes) -> str:
    return "" if day(int(text[2:4]), int(text[4:6])) and text[6:8] != b"00" else "no date in it"


def _th(text: bytes) -> str:
    return "" if (11 - weighted(text, range(13, 1, -1)) % 11) % 10 == text[12] - 48 else _WRONG


def _nik(text: bytes) -> str:
    born = int(text[6:8])
    return "" if day(int(text[8:10]), born - 40 if born > 40 else born) else "no date in it"


SCHEMES = (
    Scheme(
        name="in_aadhaar",
        words=("aadhaar", "aadhar", "adhaar", "uidai", "आधार"),
        shape=rb"[2-9]\d{3}([ \-]?)\d{4}\1\d{4}",
        check=_aadhaar,
        valid=("2341 2341 2346", "234123412346"),
        invalid=("2341 2341 2347", "1234 1234 1236"),
    ),
    Scheme(
        name="in_pan",
        words=("pan number", "pan card", "pan no", "permanent account number", "पैन"),
        guarded=("pan",),
        shape=rb"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]",
        check=_pan,
        valid=("ACUPA7085R",),
        invalid=("ACUXA7085R", "ACUPA0000R"),
        lead="[A-Z]{5}[0-9]{4}",
    ),
    Scheme(
        name="pk_cnic",
        words=("cnic", "nicop", "national identity card"),
        shape=rb"\d{5}-?\d{7}-?\d",
        check=_cnic,
        valid=("42201-0397640-8", "4220103976408"),
        invalid=("02201-0397640-8",),
    ),
    Scheme(
        name="cn_ric",
        words=("身份证", "身份证号", "身分證", "公民身份号码", "resident identity", "id card", "shenfenzheng"),
        shape=rb"[1-8]\d{5}(?:18|19|20)\d\d[01]\d[0-3]\d{4}[0-9X]",
        check=_ric,
        valid=("11010519491231002X", "360426199101010071"),
        invalid=("110105194912310020", "360426199113010071"),
    ),
    Scheme(
        name="hk_id",
        words=("hkid", "香港身份證", "hong kong identity", "hong kong id"),
        shape=rb"[A-Z]{1,2} ?\d{6} ?\(?[0-9A]\)?",
        check=_hkid,
        valid=("A123456(3)", "AB987654(3)"),
        invalid=("A123456(4)",),
        lead="[A-Z]{1,2} ?[0-9]{6}",
    ),
    Scheme(
        name="tw_id",
        words=("身分證字號", "國民身分證", "taiwan id", "身分證"),
        shape=rb"[A-Z][1289]\d{8}",
        check=_tw,
        valid=("A123456789",),
        invalid=("A123456788",),
        lead="[A-Z][1289][0-9]{8}",
    ),
    Scheme(
        name="jp_my_number",
        words=("マイナンバー", "個人番号", "my number", "kojin bango"),
        shape=rb"\d{4}([ \-]?)\d{4}\1\d{4}",
        check=_jp,
        valid=("6214 9832 0257", "621498320257"),
        invalid=("6214 9832 0258",),
    ),
    Scheme(
        name="kr_rrn",
        words=("주민등록번호", "주민번호", "resident registration", "rrn"),
        shape=rb"\d\d[01]\d[0-3]\d-?[0-9]\d{6}",
        check=_kr,
        valid=("971013-9019902", "9710139019902"),
        invalid=("971313-9019902",),
    ),
    Scheme(
        name="sg_nric",
        words=("nric", "nric no", "fin number"),
        shape=rb"[STFGM]\d{7}[A-Z]",
        check=_sg,
        valid=("S1234567D", "F1234567N"),
        invalid=("S1234567A",),
        lead="[STFGM][0-9]{7}",
    ),
    Scheme(
        name="my_kad",
        words=("mykad", "kad pengenalan", "no kp", "ic number", "nric", "ic no"),
        shape=rb"\d\d[01]\d[0-3]\d-?\d\d-?\d{4}",
        check=_my,
        valid=("770305-02-1234", "770305021234"),
        invalid=("771305-02-1234",),
    ),
    Scheme(
        name="th_id",
        words=("เลขบัตรประชาชน", "เลขประจำตัวประชาชน", "thai id", "thai national id"),
        shape=rb"\d[ \-]?\d{4}[ \-]?\d{5}[ \-]?\d\d[ \-]?\d",
        check=_th,
        valid=("3-1006-00445-63-5",),
        invalid=("3-1006-00445-63-6",),
    ),
    Scheme(
        name="id_nik",
        words=("nomor induk kependudukan", "no ktp", "ktp"),
        guarded=("nik",),
        shape=rb"\d{6}[0-7]\d[01]\d{7}",
        check=_nik,
        valid=("3171011708450001",),
        invalid=("3171013213450001", "3171011713450001"),
    ),
)
