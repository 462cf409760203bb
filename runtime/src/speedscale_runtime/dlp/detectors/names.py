"""Names of people by the name they stand under; a bare `name` only where the record has other marks of a person.

The names of fields are those of APIs in the languages that field names are written in, with the local word for a
first, last and full name; what is ambiguous (`nom`, `nombre`, `名前`) is a bare name.
"""

from __future__ import annotations

import re

from .base import KeyRule

_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3・]{2,16}")  # scripts that write names in one
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
    if re.search(rb"[\d_@/:<>{}=]", text) or not (b" " in text or _UNSPACED.fullmatch(text.decode("utf-8", "replace"))):
        return ""
    return "several words under `name`, in a record with other marks of a person" if _accept(value) else ""


def _accept_role(value: bytes) -> str:
    """Accept a name under what somebody is: `buyerName` may also be an identifier, which is one word or has digits."""
    return "several words under a key for the name of a party" if _accept_bare(value) else ""


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
    "ansprechpartner", "empfänger", "kundenname", "rufname", "geburtsname", "nom famille", "nom jeune fille",
    "nom client", "destinataire", "nom titulaire", "nombre cliente", "cliente nombre", "nombre titular",
    "nome cliente", "nome pai", "nome do pai", "nome da mãe", "roepnaam", "rekeninghouder", "kaarthouder", "klantnaam",
    "imię i nazwisko", "celé jméno", "jméno a příjmení", "müşteri adı", "soyisim", "efternavn", "口座名義", "担当者",
    "名義人", "受取人", "联系人", "联系人姓名", "持卡人", "예금주", "받는사람", "받는분", "수취인", "담당자",
)  # fmt: skip
_ROLES = (
    "insured", "policyholder", "policy holder", "claimant", "physician", "doctor", "provider contact", "subscriber",
    "signatory", "signer", "signature", "requester", "requestor", "assignee", "borrower", "lender contact", "buyer",
    "attendee", "parent", "child", "candidate", "applicant", "teacher", "manager", "supervisor", "assistant",
    "attention", "ship to", "bill to", "consignee", "consignor", "shipper contact", "visitor", "resident", "nominee",
    "witness", "trustee", "dependent", "dependant", "partner full", "next of kin", "kin", "client full", "user full",
    "billing", "shipping", "real", "formal", "complete", "printed", "booker", "lead guest", "occupant", "pilot",
    "nurse", "surgeon", "referrer", "interviewer", "reviewer full", "organizer", "organiser", "cardmember", "debtor",
    "creditor", "ultimate debtor", "remitter", "donor", "heir", "tutor", "instructor", "landlord", "lessee", "lessor",
    "bank account holder", "bank account owner", "account owner",
)  # fmt: skip
_RECORD = (
    "client name",
    "agent name",
    "tenant name",
    "driver name",
    "seller name",
    "author name",
    "user name full",
    "user display name",
    "profile name",
    "lead name",
    "creator name",
    "name1",
    "name2",
    "ad",
    "isim",
)
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
            "mothers maiden name",
            "name first",
            "name last",
            "name middle",
            "subscriber first",
            "subscriber last",
            "forename",
            "forenames",
            "christian name",
            "additional name",
            "name at birth",
            "given names",
            "real name",
            "realname",
            "unstructured name",
            "display name last first",
            "displaynamelastfirst",
            "contact person",
            "consignee",
            "koinh",
            "namev",
            "attn",
            "father name",
            "guardian name",
            "emergency contact name",
            *_ELSEWHERE,
        ),
        exact=("姓", "名", "セイ", "メイ", "姓カナ", "名カナ", "sn"),
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
            ("name_first", "Ava"),
            ("real_name", "Ava Sullivan"),
            ("empfaenger", "Ava Sullivan"),
            ("口座名義", "ヤマダ タロウ"),
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
        exact=("name", "display name", "displayname", "names", *_RECORD, *_BARE),
        accept=_accept_bare,
        person=True,
        examples=(("name", "Ava Sullivan"),),
        counter_examples=(("name", "widget-7"), ("name", "Lamp")),
        group="name",
    ),
    KeyRule(
        name="name_role",
        kind="NAME",
        names=tuple(f"{role} name" for role in _ROLES),
        excluded=_NO_PERSON,
        accept=_accept_role,
        examples=(("insuredName", "Ava Sullivan"), ("applicant_name", "山田太郎"), ("shipToName", "Bo Li")),
        counter_examples=(("billingName", "premium"), ("managerName", "helm-controller"), ("parentName", "node_2")),
        group="name",
    ),
)
