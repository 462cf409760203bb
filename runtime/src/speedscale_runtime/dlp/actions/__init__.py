"""What may stand in the place of a value other than a token: by kind, as a rule's `actions` say.

`mask` shows the last four characters, `drop` leaves nothing, `reversible` can be undone by who holds the key,
`surrogate` looks like the value it replaces. (`token` is `tokens`' own, `keep` is settled when a rule is read.) Called
by `tokens` only. All of them are recognised again, so that redacting twice changes nothing.
"""

from __future__ import annotations

from .mask import is_mask, mask
from .reversible import Reversible, reveal
from .surrogate import Surrogates, is_ssn, ssn

__all__ = ["Reversible", "Surrogates", "is_mask", "is_ssn", "mask", "reveal", "ssn"]
