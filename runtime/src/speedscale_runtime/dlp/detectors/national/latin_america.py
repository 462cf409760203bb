"""Latin America.

Sources: Receita Federal (CPF, CNPJ: two check digits modulo 11), RENAPO (CURP), SAT (RFC), AFIP (CUIT/CUIL), Registro
Civil of Chile (RUT/RUN, modulo 11 with K) and of Ecuador (cédula, Luhn by province), DNIC of Uruguay.
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import day, luhn, weighted

from .base import Scheme

_CURP = "0123456789ABCDEFGHIJKLMN\u00d1OPQRSTUVWXYZ"
_WRONG = "wrong check digit"


def _br_digit(body: bytes, weights: range | tuple[int, ...]) -> int:
    return (11 - weighted(body, list(weights)) % 11) % 11 % 10


def _cpf(text: bytes) -> str:
    if len(set(text)) == 1:
        return "one digit repeated"
    first = _br_digit(text[:9], range(10, 1, -1))
    second = _br_digit(text[:10], range(11, 1, -1))
    return "" if text[9:] == b"%d%d" % (first, second) else "wrong check digits"


def _cnpj(text: bytes) -> str:
    if len(set(text)) == 1:
        return "one digit repeated"
    weights = (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = _br_digit(text[:12], weights)
    second = _br_digit(text[:13], (6, *weights))
    return "" if text[12:] == b"%d%d" % (first, second) else "wrong check digits"


def _curp(text: bytes) -> str:
    if not day(int(text[6:8]), int(text[8:10])):
        return "no date in it"
    total = sum(_CURP.index(chr(c)) * (18 - i) for i, c in enumerate(text[:17]))
    return "" if text[17:] == b"%d" % (-total % 10) else _WRONG


def _rfc(text: bytes) -> str:
    date = text[-9:-3]
    return "" if day(int(date[2:4]), int(date[4:])) else "no date in it"


def _cuit(text: bytes) -> str:
    digit = 11 - weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return "" if text[10] - 48 == {11: 0, 10: 9}.get(digit, digit) else _WRONG


def _rut(text: bytes) -> str:
    total = sum((d - 48) * (2 + i % 6) for i, d in enumerate(reversed(text[:-1])))
    return "" if text[-1:] == b"0123456789K0"[11 - total % 11 : 12 - total % 11] else _WRONG


def _ec(text: bytes) -> str:
    if not (1 <= int(text[:2]) <= 24 or text[:2] == b"30"):
        return "no province"
    return "" if luhn(text) else "fails the Luhn check"


def _uy(text: bytes) -> str:
    text = text.rjust(8, b"0")
    return "" if -weighted(text, (2, 9, 8, 7, 6, 3, 4)) % 10 == text[7] - 48 else _WRONG


SCHEMES = (
    Scheme(
        name="br_cpf",
        words=("cpf", "cadastro de pessoas físicas"),
        shape=rb"\d{3}\.?\d{3}\.?\d{3}-?\d\d",
        check=_cpf,
        valid=("529.982.247-25", "11144477735"),
        invalid=("529.982.247-26", "111.111.111-11"),
    ),
    Scheme(
        name="br_cnpj",
        words=("cnpj", "cadastro nacional da pessoa"),
        shape=rb"\d\d\.?\d{3}\.?\d{3}/?\d{4}-?\d\d",
        check=_cnpj,
        valid=("11.222.333/0001-81", "11222333000181"),
        invalid=("11.222.333/0001-82",),
    ),
    Scheme(
        name="mx_curp",
        words=("curp", "clave única de registro"),
        shape=rb"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d",
        check=_curp,
        valid=("BOXW310820HNERXN09",),
        invalid=("BOXW310820HNERXN08", "BOXW311320HNERXN09"),
        lead="[A-Z]{4}[0-9]{6}",
    ),
    Scheme(
        name="mx_rfc",
        words=("registro federal de contribuyentes",),
        guarded=("rfc",),
        shape=rb"[A-Z&]{3,4}-?\d{6}-?[A-Z0-9]{2}[0-9A]",
        check=_rfc,
        valid=("GODE561231GR8", "GODE-561231-GR8"),
        invalid=("GODE561331GR8",),
        lead="[A-Z&]{3,4}-?[0-9]{6}",
    ),
    Scheme(
        name="ar_cuit",
        words=("cuit", "cuil"),
        shape=rb"(?:20|23|24|27|30|33|34)-?\d{8}-?\d",
        check=_cuit,
        valid=("20-12345678-6", "20055361682"),
        invalid=("20-12345678-9",),
    ),
    Scheme(
        name="cl_rut",
        words=("rol único tributario", "cédula de identidad rut", "run chile"),
        guarded=("rut", "run"),
        shape=rb"\d{1,2}\.?\d{3}\.?\d{3}-?[0-9Kk]",
        check=_rut,
        valid=("12.345.678-5", "30.686.957-4", "10000013-K"),
        invalid=("12.345.678-9",),
    ),
    Scheme(
        name="ec_cedula",
        words=("cédula", "cédula de identidad", "cédula de ciudadanía"),
        shape=rb"\d{9}-?\d",
        check=_ec,
        valid=("171430710-3", "1710034065"),
        invalid=("1710034064", "9910034065"),
    ),
    Scheme(
        name="uy_ci",
        words=("cédula uruguaya", "documento de identidad"),
        shape=rb"\d\.?\d{3}\.?\d{3}-\d",
        check=_uy,
        valid=("1.234.567-2",),
        invalid=("1.234.567-3",),
    ),
)
