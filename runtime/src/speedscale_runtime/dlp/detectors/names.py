"""Names of people by the name they stand under; a bare `name` only where the record has other marks of a person.

The names of fields are those of APIs in the languages that field names are written in, with the local word for a
first, last and full name; what is ambiguous (`nom`, `nombre`, `名前`) is a bare name.
"""

from __future__ import annotations

import re

from .base import KeyRule

_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")


def _accept(value: bytes) -> str:
    text = value.strip()
    if not 1 < len(text) <= 120 or not _LETTER.search(text) or text.startswith((b"http", b"{", b"[", b"$")):
        return ""
    if b"/" in text and b" " not in text:
        return ""  # a path: `full_name` of a repository
    return "stands under a key for a person's name"


def _accept_bare(value: bytes) -> str:
    text = value.strip()
    if re.search(rb"[\d_@/:<>{}=]", text) or b" " not in text:
        return ""
    return "several words under `name`, in a record with other marks of a person" if _accept(value) else ""


_ELSEWHERE = (
    "vorname", "nachname", "familienname", "geburtsname", "zuname", "kontoinhaber", "karteninhaber",
    "vollständiger name",
    "prénom", "nom de famille", "nom complet", "nom usuel", "nom naissance", "titulaire",
    "apellido", "apellidos", "nombre completo", "primer nombre", "segundo nombre", "nombres", "titular",
    "cognome", "nominativo", "intestatario", "nome cognome",
    "sobrenome", "nome completo", "apelido", "nome titular", "nome mãe",
    "voornaam", "achternaam", "familienaam", "volledige naam", "tenaamstelling",
    "imię", "nazwisko", "imię nazwisko", "förnamn", "efternamn", "fornavn", "etternavn", "fullständigt namn",
    "etunimi", "sukunimi", "eesnimi", "perekonnanimi", "jméno příjmení", "příjmení", "priezvisko",
    "vezetéknév", "keresztnév", "teljes név", "prenume", "nume complet", "nume familie",
    "soyad", "soyadı", "ad soyad", "adı soyadı", "όνομα", "επώνυμο", "ονοματεπώνυμο",
    "имя", "фамилия", "отчество", "фио", "полное имя", "ім'я", "прізвище", "име", "презиме", "familiya", "otchestvo",
    "氏名", "姓名", "お名前", "フルネーム", "フリガナ", "ふりがな", "名字", "真实姓名", "收货人", "收件人", "xingming",
    "이름", "성명", "성함", "الاسم", "الاسم الكامل", "اسم العائلة", "שם", "שם משפחה", "नाम", "पूरा नाम", "ชื่อ", "นามสกุล",
    "họ tên", "nama lengkap", "nama depan", "nama belakang",
)  # fmt: skip
_BARE = ("nom", "nombre", "nome", "naam", "namn", "navn", "imiona", "jméno", "név", "isim", "nimi", "名前", "nama")
PARTS = frozenset((
    "first", "last", "given", "family", "middle", "maiden", "surname", "firstname", "lastname", "givenname",
    "familyname", "fname", "lname", "vorname", "nachname", "familienname", "prenom", "famille", "apellido", "apellidos",
    "cognome", "sobrenome", "apelido", "voornaam", "achternaam", "imie", "nazwisko", "fornamn", "efternamn", "fornavn",
    "etternavn", "etunimi", "sukunimi", "prijmeni", "prenume", "soyad", "soyadi", "фамилия", "отчество", "επώνυμο",
))  # fmt: skip
"""Words for a part of a name: beside such a field, a bare `name`, `nom` or `nombre` is the other part."""
WITHIN = frozenset((b"first", b"last", b"middle", b"given", b"family", b"full"))
"""Names of fields in an object under a bare name: `"name": {"first": …, "last": …}`."""
WITHIN_PATTERN = r'name"[ \t\r\n]*:[ \t\r\n]*\{[ \t\r\n]*"(?:first|last|middle|given|family|full)"'
"""Where such an object begins, for the prefilter (caseless)."""
_NO_PERSON = frozenset(("file", "host", "domain", "column", "table", "field", "class", "type", "id", "tag", "event",
                        "company", "product", "app", "service", "space", "format", "length",
                        "count", "required", "label", "policy", "pattern", "regex"))  # fmt: skip
KEY_RULES = (
    KeyRule(
        name="name",
        kind="NAME",
        names=(
            "first name",
            "firstname",
            "last name",
            "lastname",
            "full name",
            "fullname",
            "given name",
            "givenname",
            "family name",
            "familyname",
            "surname",
            "middle name",
            "middlename",
            "maiden name",
            "customer name",
            "customername",
            "cardholder",
            "cardholder name",
            "card holder",
            "name on card",
            "contact name",
            "patient name",
            "recipient name",
            "holder name",
            "account holder",
            "employee name",
            "beneficiary name",
            "fname",
            "lname",
            "legal name",
            "birth name",
            "preferred name",
            "nick name",
            "nickname",
            "person name",
            "traveler name",
            "traveller name",
            "passenger name",
            "guest name",
            "member name",
            "student name",
            "owner name",
            "sender name",
            "receiver name",
            "payer name",
            "payee name",
            "account name",
            "spouse name",
            "mother name",
            "father name",
            "guardian name",
            "emergency contact name",
            *_ELSEWHERE,
        ),
        excluded=_NO_PERSON,
        accept=_accept,
        examples=(
            ("firstName", "Ava"),
            ("last_name", "Sullivan"),
            ("cardholder", "Ava Sullivan"),
            ("FullName", "Bo Li"),
            ("prénom", "Zoé"),
            ("Nachname", "Müller"),
            ("お客様氏名", "山田 太郎"),
            ("ФИО", "Иванова Анна"),
        ),
        counter_examples=(
            ("filename", "a.txt"),
            ("hostname", "db-1"),
            ("product_name", "Lamp"),
            ("first_name", ""),
            ("full_name", "octocat/hello-world"),
        ),
    ),
    KeyRule(
        name="name_bare",
        kind="NAME",
        names=(),
        exact=("name", "display name", "displayname", *_BARE),
        accept=_accept_bare,
        person=True,
        examples=(("name", "Ava Sullivan"),),
        counter_examples=(("name", "widget-7"), ("name", "Lamp")),
        group="name",
    ),
)
