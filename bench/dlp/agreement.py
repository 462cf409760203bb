"""Our check digits beside those of python-stdnum: random numbers of each shape, and valid ones with one digit changed.

Every difference is shown, not hidden: some modules of python-stdnum also check what ours leaves to the context (dates
in the future, prefixes that are not yet issued), or the other way round.
"""

from __future__ import annotations

import random

from speedscale_runtime.dlp.detectors import iban
from speedscale_runtime.dlp.detectors.checks import luhn
from speedscale_runtime.dlp.detectors.national import SCHEMES
from speedscale_runtime.dlp.detectors.national.base import compact

from . import peers, values

_COUNT = 400
_MODULES = {
    "us_itin": "us.itin", "ca_sin": "ca.sin", "br_cpf": "br.cpf", "br_cnpj": "br.cnpj", "mx_curp": "mx.curp",
    "ar_cuit": "ar.cuit", "cl_rut": "cl.rut", "ec_cedula": "ec.ci", "gb_nhs": "gb.nhs", "gb_utr": "gb.utr",
    "ie_pps": "ie.pps", "fr_nir": "fr.nir", "fr_spi": "fr.nif", "be_nn": "be.nn", "nl_bsn": "nl.bsn",
    "de_idnr": "de.idnr", "at_vnr": "at.vnr", "ch_ahv": "ch.ssn", "pt_nif": "pt.nif",
    "it_codice_fiscale": "it.codicefiscale", "gr_amka": "gr.amka", "gr_afm": "gr.vat",
    "se_personnummer": "se.personnummer",
    "no_fodselsnummer": "no.fodselsnummer", "dk_cpr": "dk.cpr", "fi_hetu": "fi.hetu", "is_kennitala": "is_.kennitala",
    "pl_pesel": "pl.pesel", "pl_nip": "pl.nip", "cz_sk_rc": "cz.rc", "ro_cnp": "ro.cnp", "bg_egn": "bg.egn",
    "hr_oib": "hr.oib", "yu_jmbg": "si.emso", "ua_rnokpp": "ua.rntrc", "tr_kimlik": "tr.tckimlik",
    "in_aadhaar": "in_.aadhaar", "cn_ric": "cn.ric", "kr_rrn": "kr.rrn", "th_id": "th.pin", "za_id": "za.idnr",
    "il_id": "il.idnr", "au_tfn": "au.tfn", "nz_ird": "nz.ird", "my_kad": "my.nric", "pk_cnic": "pk.cnic",
}  # fmt: skip


def rows(seed: int) -> list[str]:
    """Return the rows of the table; a single one that says so where python-stdnum cannot be had."""
    rng = random.Random(seed)
    questions: list[tuple[str, str, bool]] = []
    for scheme in SCHEMES:
        module = _MODULES.get(scheme.name)
        if module is None:
            continue
        numbers = _numbers(rng, scheme.valid)
        questions += [(scheme.name, n, not scheme.check(compact(n.encode()))) for n in numbers]
    cards = tuple(values.card(rng).replace(" ", "").replace("-", "") for _ in range(9))
    questions += [("luhn", n, luhn(n.encode())) for n in _numbers(rng, cards)]
    accounts = tuple(values.iban(rng).replace(" ", "") for _ in range(9))
    questions += [("iban", n, _is_iban(n.encode())) for n in _numbers(rng, accounts)]
    names = {"luhn": "luhn", "iban": "iban", **_MODULES}
    answers = peers.ask("stdnum", [f"{names[name]} {number}".encode() for name, number, _ in questions])
    if answers is None:
        return ["| not available here | | | | |"]
    table: dict[str, list[int]] = {}
    for (name, _, mine), theirs in zip(questions, answers, strict=True):
        counts = table.setdefault(name, [0, 0, 0, 0])
        counts[0] += 1
        counts[1 if mine and theirs else 2 if mine else 3] += bool(mine or theirs)
    return [f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in table.items()]


def _is_iban(text: bytes) -> bool:
    (detector,) = iban.DETECTORS
    match = detector.grammar.fullmatch(text)
    return match is not None and not isinstance(detector.validate(match, text), str)


def _numbers(rng: random.Random, samples: tuple[str, ...]) -> list[str]:
    """Return numbers of the shape of the samples: digits changed at random, one or several."""
    made = list(samples)
    for _ in range(_COUNT):
        text = list(rng.choice(samples))
        places = [i for i, c in enumerate(text) if c.isdigit()]
        for place in rng.sample(places, rng.choice((1, 1, 2, 3))):
            text[place] = rng.choice("0123456789")
        made.append("".join(text))
    return made
