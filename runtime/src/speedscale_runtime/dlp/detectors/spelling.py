"""How a word may be spelt in UTF-8 where patterns fold letter case in ASCII only.

Called for names of fields and for words of context. Words in, patterns out.
"""

from __future__ import annotations

import re
import unicodedata

_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "æ": "ae",
                          "Æ": "AE", "œ": "oe", "Œ": "OE"})  # fmt: skip
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_ACCENTS = re.compile("[\u0300-\u036f]")
_LATIN = 0x250  # letters below it have accents that people leave out, or write as marks of their own


def plain(text: str) -> str:
    """Return a text without accents; other scripts stay as they are."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text.translate(_LETTERS))))


def transcribed(text: str) -> str:
    """Return a text as it is written where there are no umlauts: `empfaenger`, `foedselsdato`; itself without any."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_TWO_LETTERS)


def pattern(word: str) -> str:
    """Return a pattern of a word in all its spellings; the pattern has to be used caseless."""
    if word.isascii():
        return re.escape(word)
    cased = {word.lower(), word.lower().capitalize(), word.upper()}
    if all(ord(c) < _LATIN for c in word):
        cased |= {unicodedata.normalize("NFD", c) for c in cased} | {
            plain(word).lower(),
            plain(transcribed(word)).lower(),
        }
    return "(?:" + "|".join(sorted(cased)) + ")" if len(cased) > 1 else word
