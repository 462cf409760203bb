"""People of sixteen countries as their own APIs write them: names, streets, phones, field names, national numbers.

Data for the corpus generator. Names and streets are common ones put together at random; nobody is meant. Check digits
are computed here, by trial against the published definition, apart from the code that is being measured.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

Make = Callable[[random.Random], str]


def digits(rng: random.Random, count: int) -> str:
    """Return as many random digits."""
    return "".join(rng.choice("0123456789") for _ in range(count))


def fill(rng: random.Random, template: str) -> str:
    """Return a template with a digit for each `#` and one from 2 to 9 for each `N`."""
    return "".join(
        rng.choice("0123456789") if c == "#" else rng.choice("23456789") if c == "N" else c for c in template
    )


def date(rng: random.Random) -> tuple[int, int, int]:
    """Return year, month and day of a birth."""
    return rng.randrange(1940, 2006), rng.randrange(1, 13), rng.randrange(1, 29)


def luhn_digit(body: str) -> str:
    """Return the digit that makes a number pass the Luhn check."""
    for last in "0123456789":
        total = 0
        for i, c in enumerate(reversed(body + last)):
            n = int(c) * (1 + i % 2)
            total += n - 9 if n > 9 else n
        if total % 10 == 0:
            return last
    raise AssertionError(body)


def _cpf(rng: random.Random) -> str:
    body = [rng.randrange(10) for _ in range(9)]
    for size in (9, 10):
        rest = sum(d * (size + 1 - i) for i, d in enumerate(body)) * 10 % 11
        body.append(0 if rest == 10 else rest)
    t = "".join(map(str, body))
    return rng.choice((t, f"{t[:3]}.{t[3:6]}.{t[6:9]}-{t[9:]}"))


def _nir(rng: random.Random) -> str:
    y, m, _ = date(rng)
    body = f"{rng.choice('12')}{y % 100:02}{m:02}{rng.randrange(1, 96):02}{rng.randrange(1, 990):03}{rng.randrange(1, 999):03}"
    key = 97 - int(body) % 97
    return rng.choice(
        (f"{body}{key:02}", f"{body[0]} {body[1:3]} {body[3:5]} {body[5:7]} {body[7:10]} {body[10:]} {key:02}")
    )


def _steuer(rng: random.Random) -> str:
    places = rng.sample(range(10), 9)
    body = [*places, rng.choice(places[1:])]
    head, *tail = body
    rng.shuffle(tail)
    body = [head or 1, *tail] if head else [places[1], *tail]
    while body[0] == 0 or len(set(body)) not in (8, 9):
        rng.shuffle(body)
    product = 10
    for d in body:
        total = (d + product) % 10 or 10
        product = total * 2 % 11
    t = "".join(map(str, body)) + str((11 - product) % 10)
    return rng.choice((t, f"{t[:2]} {t[2:5]} {t[5:8]} {t[8:]}"))


def _dni(rng: random.Random) -> str:
    number = rng.randrange(10**7, 10**8)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _fiscale(rng: random.Random) -> str:
    y, _, d = date(rng)
    body = "".join(rng.choice("BCDFGLMNPRST") for _ in range(6))
    body += f"{y % 100:02}{rng.choice('ABCDEHLMPRST')}{d:02}{rng.choice('ABCDEFGHIL')}{rng.randrange(100, 999)}"
    odd = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True))
    letters = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    odd |= dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", letters, strict=True))
    total = sum(odd[c] if i % 2 == 0 else int(c) if c.isdigit() else ord(c) - 65 for i, c in enumerate(body))
    return body + chr(65 + total % 26)


def _pt_nif(rng: random.Random) -> str:
    body = rng.choice("12") + digits(rng, 7)
    check = 11 - sum(int(c) * (9 - i) for i, c in enumerate(body)) % 11
    return body + str(check if check < 10 else 0)


def _bsn(rng: random.Random) -> str:
    while True:
        text = str(rng.randrange(10**8, 10**9))
        total = sum(int(c) * (9 - i) for i, c in enumerate(text[:8])) - int(text[8])
        if total % 11 == 0:
            return text


def _pesel(rng: random.Random) -> str:
    y, m, d = date(rng)
    body = f"{y % 100:02}{m + (20 if y > 1999 else 0):02}{d:02}{digits(rng, 4)}"
    total = sum(int(c) * w for c, w in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    return body + str(-total % 10)


def _se(rng: random.Random) -> str:
    y, m, d = date(rng)
    body = f"{y % 100:02}{m:02}{d:02}{digits(rng, 3)}"
    full = body + luhn_digit(body)
    return rng.choice((f"{full[:6]}-{full[6:]}", f"{str(y)[:2]}{full[:6]}-{full[6:]}"))


def _snils(rng: random.Random) -> str:
    body = str(rng.randrange(10**8, 10**9))
    check = sum(int(c) * (9 - i) for i, c in enumerate(body)) % 101 % 100
    return f"{body[:3]}-{body[3:6]}-{body[6:]} {check:02}"


def _my_number(rng: random.Random) -> str:
    body = digits(rng, 11)
    rest = sum(int(c) * w for c, w in zip(body, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
    t = body + str(0 if rest <= 1 else 11 - rest)
    return rng.choice((t, f"{t[:4]} {t[4:8]} {t[8:]}"))


def _cn(rng: random.Random) -> str:
    y, m, d = date(rng)
    body = f"{rng.choice(('110105', '310104', '440301', '510107'))}{y}{m:02}{d:02}{rng.randrange(1000):03}"
    total = sum(int(c) * (2 ** (17 - i) % 11) for i, c in enumerate(body))
    return body + "10X98765432"[total % 11]


def _kr(rng: random.Random) -> str:
    y, m, d = date(rng)
    return f"{y % 100:02}{m:02}{d:02}-{rng.choice('1234') if y < 2000 else rng.choice('34')}{digits(rng, 6)}"


def _ssn(rng: random.Random) -> str:
    return f"{rng.choice((rng.randrange(1, 666), rng.randrange(667, 900))):03}-{rng.randrange(1, 100):02}-{rng.randrange(1, 10000):04}"


def _aadhaar(rng: random.Random) -> str:
    d5 = [[(i + j) % 5 + 5 * ((i // 5 + j // 5) % 2) if i < 5 else 0 for j in range(10)] for i in range(10)]
    for i in range(10):
        for j in range(10):
            a, b = i % 5, j % 5
            if i < 5:
                d5[i][j] = (a + b) % 5 + (5 if j >= 5 else 0)
            else:
                d5[i][j] = (a - b) % 5 + (0 if j >= 5 else 5)
    p = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    for i in range(2, 8):
        p.append([p[i - 1][p[1][j]] for j in range(10)])
    while True:
        text = rng.choice("23456789") + digits(rng, 11)
        state = 0
        for i, c in enumerate(reversed(text)):
            state = d5[state][p[i % 8][int(c)]]
        if state == 0:
            return rng.choice((text, f"{text[:4]} {text[4:8]} {text[8:]}"))


def _kimlik(rng: random.Random) -> str:
    d = [rng.randrange(1, 10), *(rng.randrange(10) for _ in range(8))]
    d.append((7 * sum(d[0::2]) - sum(d[1::2])) % 10)
    d.append(sum(d) % 10)
    return "".join(map(str, d))


@dataclass(frozen=True, slots=True)
class Locale:
    """One country: `keys` are local field names by the English ones of `shapes`; `id_word` names the number in text."""

    code: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    phones: tuple[str, ...]
    national: Make
    id_kind: str
    id_key: str
    id_word: str
    note: str
    keys: dict[str, str] = field(default_factory=dict)


LOCALES = (
    Locale("en_US", ("Olivia", "James", "Emma", "Noah"), ("Whitfield", "Okafor", "Delgado", "O'Neill"),
           ("# Elm Street", "1## Oak Ave Apt #", "P.O. Box ###"), ("Springfield", "Portland"),
           ("(N12) N55-####", "N12-N55-####", "+1 N12 N55 ####", "+1N12N55####", "1-N12-N55-####"),
           _ssn, "SSN", "ssn", "SSN", "Customer {name} called from {phone} about {mail}."),
    Locale("en_GB", ("Amelia", "Harry", "Isla"), ("Pemberton", "Hughes", "Ashworth"), ("## High Street", "Flat #, ## Mill Lane"),
           ("Leeds", "Bristol"), ("+44 7### ######", "+44 20 7946 0###", "020 7946 0###"),
           lambda r: (lambda b: b + str((11 - sum(int(c) * (10 - i) for i, c in enumerate(b)) % 11) % 11))(
               next(b for b in iter(lambda: "4" + digits(r, 8), "") if sum(int(c) * (10 - i) for i, c in enumerate(b)) % 11 != 1)),
           "NATIONAL_ID", "nhsNumber", "NHS number", "Please ring {name} on {phone} or write to {mail}."),
    Locale("de_DE", ("Jürgen", "Anneliese", "Björn", "Lena"), ("Müller", "Schröder", "Weiß", "Hartmann"),
           ("Hauptstraße ##", "Am Bahnhof #", "Goethestr. ###"), ("München", "Köln"),
           ("+49 30 90####", "+49 171 #######", "+49-89-1234###", "0171/#######"), _steuer, "NATIONAL_ID", "steuerId", "Steuer-ID",
           "Frau {name}, Telefon {phone}, E-Mail {mail}.",
           {"first": "vorname", "last": "nachname", "phone": "telefon", "street": "straße", "dob": "geburtsdatum",
            "password": "passwort"}),
    Locale("fr_FR", ("Zoé", "François", "Élodie"), ("Lefèvre", "Dupont", "Beauchêne"), ("## rue de la Paix", "# avenue Foch"),
           ("Lyon", "Nantes"), ("+33 6 12 ## ## ##", "06 12 ## ## ##", "+336########", "01.42.##.##.##"), _nir, "NATIONAL_ID",
           "numeroSecu", "Sécurité sociale", "Contactez {name} au {phone}, courriel {mail}.",
           {"first": "prénom", "last": "nom_de_famille", "phone": "téléphone", "street": "rue", "dob": "date_naissance",
            "password": "mot_de_passe"}),
    Locale("es_ES", ("José", "Lucía", "Íñigo"), ("Muñoz", "García López", "Ibáñez"), ("Calle Mayor ##", "Avda. del Sol ###"),
           ("Sevilla", "Bilbao"), ("+34 6## ## ## ##", "+34 91 ### ## ##"), _dni, "NATIONAL_ID", "dni", "DNI",
           "Llame a {name} al {phone}; correo {mail}.",
           {"first": "nombres", "last": "apellidos", "phone": "teléfono", "street": "calle", "dob": "fechaNacimiento",
            "password": "contraseña"}),
    Locale("it_IT", ("Chiara", "Niccolò"), ("Rossi", "D'Angelo", "Ferrari"), ("Via Roma ##", "Piazza Dante #"), ("Torino", "Bari"),
           ("+39 3## ### ####", "+39 06 6982 ####"), _fiscale, "NATIONAL_ID", "codiceFiscale", "codice fiscale",
           "Il cliente {name}, cellulare {phone}, posta {mail}.",
           {"last": "cognome", "phone": "telefono", "street": "indirizzo_residenza", "dob": "dataNascita"}),
    Locale("pt_BR", ("João", "Letícia"), ("da Silva", "Araújo", "Gonçalves"), ("Rua das Flores, ##", "Av. Paulista, 1###"),
           ("São Paulo", "Recife"), ("+55 11 9####-####", "(11) 9####-####", "+55 (21) 2###-####"), _cpf, "NATIONAL_ID", "cpf", "CPF",
           "Ligue para {name}: {phone}, e-mail {mail}.",
           {"last": "sobrenome", "phone": "telefone", "street": "logradouro", "dob": "data_nascimento", "password": "senha"}),
    Locale("pt_PT", ("Inês", "Tomás"), ("Ferreira", "Conceição"), ("Rua Augusta ##",), ("Porto",), ("+351 91# ### ###",), _pt_nif,
           "NATIONAL_ID", "nif", "NIF", "Telemóvel de {name}: {phone}, {mail}.", {"last": "apelido", "phone": "telemóvel"}),
    Locale("nl_NL", ("Sanne", "Daan"), ("de Vries", "van den Berg"), ("Keizersgracht ###", "Dorpsstraat #"), ("Utrecht",),
           ("+31 6 ########", "+31 20 ### ####"), _bsn, "NATIONAL_ID", "bsn", "BSN", "Bel {name} op {phone} of mail {mail}.",
           {"first": "voornaam", "last": "achternaam", "phone": "telefoonnummer", "street": "straatnaam", "dob": "geboortedatum",
            "password": "wachtwoord"}),
    Locale("pl_PL", ("Łukasz", "Zofia"), ("Wiśniewska", "Kowalski"), ("ul. Długa ##", "ul. Krótka #/##"), ("Gdańsk",),
           ("+48 6## ### ###", "+48 22 ### ## ##"), _pesel, "NATIONAL_ID", "pesel", "PESEL", "Klient {name}, telefon {phone}, mail {mail}.",
           {"first": "imię", "last": "nazwisko", "phone": "telefon", "street": "ulica", "dob": "data_urodzenia", "password": "hasło"}),
    Locale("sv_SE", ("Åsa", "Björn"), ("Lindström", "Öberg"), ("Storgatan ##",), ("Göteborg",), ("+46 70 ### ## ##", "+46 8 ### ## ##"),
           _se, "NATIONAL_ID", "personnummer", "personnummer", "Ring {name} på {phone}, mejl {mail}.",
           {"first": "förnamn", "last": "efternamn", "phone": "mobilnummer", "street": "gatuadress", "dob": "födelsedatum"}),
    Locale("ru_RU", ("Анна", "Дмитрий"), ("Иванова", "Соколов"), ("ул. Ленина, д. ##", "пр-т Мира ###"), ("Казань",),
           ("+7 912 ###-##-##", "8 (912) ###-##-##", "+7912#######"), _snils, "NATIONAL_ID", "snils", "СНИЛС",
           "Клиент {name}, телефон {phone}, почта {mail}.",
           {"first": "имя", "last": "фамилия", "phone": "телефон", "street": "улица", "dob": "дата_рождения", "password": "пароль"}),
    Locale("ja_JP", ("太郎", "花子"), ("山田", "佐藤"), ("千代田区丸の内#-#-#", "港区芝公園#丁目#"), ("東京都",),
           ("090-####-####", "03-####-####", "+81 90-####-####"), _my_number, "NATIONAL_ID", "個人番号", "マイナンバー",
           "{name}様、電話 {phone}、メール {mail} まで。",
           {"name": "氏名", "phone": "電話番号", "street": "番地", "address": "住所", "dob": "生年月日", "password": "パスワード"}),
    Locale("zh_CN", ("伟", "秀英"), ("王", "李"), ("建国路##号", "南京东路###号"), ("北京市",), ("+86 138 #### ####", "138-####-####"),
           _cn, "NATIONAL_ID", "身份证号", "身份证", "客户{name}，手机 {phone}，邮箱 {mail}。",
           {"name": "姓名", "phone": "手机号", "address": "地址", "street": "街道", "dob": "出生日期", "password": "密码"}),
    Locale("ko_KR", ("민준", "서연"), ("김", "이"), ("세종대로 ###", "강남대로 ##길 #"), ("서울",), ("010-####-####", "+82 10-####-####"),
           _kr, "NATIONAL_ID", "주민등록번호", "주민등록번호", "{name} 고객, 전화 {phone}, 메일 {mail}.",
           {"name": "성명", "phone": "전화번호", "address": "주소", "street": "도로명주소", "dob": "생년월일", "password": "비밀번호"}),
    Locale("hi_IN", ("आरव", "Priya"), ("शर्मा", "Iyer"), ("## MG Road", "गली नंबर ##"), ("Pune",), ("+91 98### #####", "+9198########"),
           _aadhaar, "NATIONAL_ID", "aadhaarNumber", "Aadhaar", "Call {name} on {phone}, mail {mail}.",
           {"name": "पूरा नाम", "phone": "मोबाइल", "address": "पता", "dob": "जन्मतिथि"}),
    Locale("tr_TR", ("Ayşe", "Emre"), ("Yılmaz", "Çelik"), ("Atatürk Cad. No: ##",), ("İzmir",), ("+90 532 ### ## ##",), _kimlik,
           "NATIONAL_ID", "tcKimlik", "TC Kimlik", "{name}, telefon {phone}, eposta {mail}.",
           {"last": "soyadı", "phone": "telefon", "street": "sokak", "dob": "doğum_tarihi", "password": "şifre"}),
    Locale("ar_EG", ("أحمد", "فاطمة"), ("حسن", "السيد"), ("شارع التحرير ##",), ("القاهرة",), ("+20 10 #### ####",),
           lambda r: "2" + f"{date(r)[0] % 100:02}{r.randrange(1, 13):02}{r.randrange(1, 29):02}" + "01" + digits(r, 5), "NATIONAL_ID",
           "الرقم القومي", "الرقم القومي", "العميل {name} هاتف {phone} بريد {mail}.",
           {"name": "الاسم الكامل", "phone": "رقم الهاتف", "address": "العنوان", "dob": "تاريخ الميلاد", "password": "كلمة المرور"}),
)  # fmt: skip
