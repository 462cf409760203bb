"""Names under which people's data usually stands, beyond what the rules redact: for the coverage report only.

A table of hints, not of rules: what is called like this is shown to a person, who decides. Names are matched as the
detectors' are (words compared whole, however they are joined). `STRONG` ones are hardly ever anything else.
"""

from __future__ import annotations

from .detectors import KeyRule
from .keynames import KeyNames

_STRONG = (
    "ACCOUNT USERNAME PERSON_ID GOVERNMENT_ID HEALTH BELIEF ORIGIN FAMILY PAY BIRTH CARD_DETAIL DEVICE CREDENTIAL "
    "CONTACT PERSON_NAME VEHICLE"
)
_SENSITIVE = "GENDER BELIEF ORIGIN HEALTH FAMILY"
STRONG = frozenset(_STRONG.split())
# Few different values are normal here; elsewhere they speak against a person's data.
SENSITIVE = frozenset(_SENSITIVE.split())

_NAMES: dict[str, str] = {
    "ACCOUNT": "account number, account no, acct number, acct no, acct, bank account, iban, bic, swift, routing "
    "number, sort code, kontonummer, numero de cuenta, numero cuenta, numero conta, rekeningnummer",
    "USERNAME": "username, user name, login, login name, userid name, nickname, nick name, screen name, handle, "
    "benutzername, nombre usuario, utilisateur, gebruikersnaam, nome utente",
    "PERSON_ID": "customer number, customer no, member number, membership number, loyalty number, subscriber number, "
    "employee number, employee id, staff id, staff number, student id, student number, patient id, "
    "patient number, person id, citizen id, policy number, insurance number, kundennummer, "
    "personalnummer, numero cliente",
    "GOVERNMENT_ID": "passport, passport number, passport no, national id, identity number, identity card, id card, id "
    "number, driver license, drivers license, driving licence, license number, licence number, tax id, "
    "tax number, vat number, social security, ssn, nin, cpf, cnpj, dni, nie, nif, curp, rfc, bsn, pesel, "
    "personnummer, fodselsnummer, codice fiscale, steuernummer, steuer id, aadhaar, pan number, sin "
    "number, nhs number, medicare, my number",
    "HEALTH": "diagnosis, diagnoses, medication, medications, prescription, allergy, allergies, blood type, blood "
    "group, disability, symptom, symptoms, icd, icd code, medical record, mrn, pregnant, weight kg, "
    "height cm",
    "BELIEF": "religion, religious, political, party membership, union membership, sexual orientation, orientation "
    "sexual",
    "ORIGIN": "nationality, citizenship, ethnicity, ethnic group, race, place of birth, birthplace, birth place, "
    "country of birth, staatsangehorigkeit, nacionalidad",
    "FAMILY": "marital status, spouse, next of kin, mother name, father name, mothers name, fathers name, maiden, "
    "guardian, emergency contact, children",
    "PAY": "salary, income, wage, wages, net worth, credit score, payslip, gehalt, salario",
    "BIRTH": "birth, born, birth year, year of birth, geburtsdatum, geburtstag, fecha nacimiento, fecha de "
    "nacimiento, date naissance, date de naissance, data nascimento, data nascita, geboortedatum",
    "CARD_DETAIL": "cvv, cvc, cvv2, card expiry, expiry month, expiry year, pan, card number, pin, pin code, otp, one "
    "time code, verification code, security code, security answer, secret answer",
    "DEVICE": "device id, deviceid, imei, imsi, iccid, meid, idfa, idfv, gaid, advertising id, android id, udid, "
    "fingerprint, device fingerprint, serial number, mac address",
    "CREDENTIAL": "password hash, passwd hash, pwd hash, hashed password, private key, recovery code, recovery codes, "
    "seed phrase, mnemonic, kennwort, passwort, contrasena, mot de passe, senha",
    "CONTACT": "email, e mail, mail, mail address, phone, telephone, telefon, telefono, telephone number, mobile, "
    "mobile number, cell, cellphone, fax, whatsapp, skype, msisdn, correo, handynummer, tel",
    "PERSON_NAME": "nachname, vorname, prenom, nom de famille, apellido, apellidos, nombre completo, cognome, "
    "sobrenome, nome completo, achternaam, voornaam, sender name, receiver name, buyer name, seller name, driver "
    "name, doctor name, author name, owner name, user full name, signatory, signature name, legal name, "
    "preferred name",
    "VEHICLE": "license plate, licence plate, plate number, number plate, vin, kennzeichen",
    "GENDER": "gender, sex, pronouns, geschlecht, genero, salutation, anrede",
    "AGE": "age, age group, age range, alter",
    "PLACE": "latitude, longitude, lat, lng, lon, geo, geolocation, coordinates, gps, home location, current "
    "location",
    "POSTAL": "zip, zip code, zipcode, postal code, postcode, plz, codigo postal, code postal, city, town, county, "
    "street, house number, apartment, address line, adresse, anschrift, strasse, direccion, indirizzo, "
    "wohnort",
    "USER_ID": "user id, userid, customer id, customerid, client id number, member id, account id, profile id, owner "
    "id, subscriber id, visitor id, uid, sub",
    "BALANCE": "balance, account balance, kontostand, saldo",
    "EMPLOYER": "employer, company name, job title, occupation, school, university",
    "PICTURE": "avatar, photo, photo url, picture, profile picture, selfie, biometric, face id, voice print",
    "WORDS": "comment, comments, note, notes, remark, remarks, free text, bio, about me, feedback, review text",
}  # fmt: skip
_NOT = frozenset(("count", "total", "limit", "enabled", "required", "verified", "valid", "type", "status", "format",
                  "template", "policy", "visible", "version", "schema", "url", "max", "min", "length"))  # fmt: skip


def _any(value: bytes) -> str:
    return "a name of a person's data" if value.strip() else ""


HINTS = KeyNames(
    [
        KeyRule(
            name=f"hint_{kind.lower()}",
            kind=kind,
            names=tuple(name.strip() for name in text.split(",")),
            accept=_any,
            examples=(),
            counter_examples=(),
            excluded=_NOT,
        )
        for kind, text in _NAMES.items()
    ]
)


def concept(name: str) -> str:
    """Return what a name says its value is (`ACCOUNT`, `GENDER`, …); empty where it says nothing of a person."""
    hint = HINTS.rule(name.encode("utf-8", "surrogatepass")) if name else None
    return hint.kind if hint is not None else ""
