"""X.509 as this project uses it: a root, an intermediate per namespace, leaves per name. P-256 throughout.

Used by `tls.authority` (local CA, leaves per SNI) and by whoever makes a cluster's Secrets. Pure: time and serial
are arguments and signatures are deterministic (RFC 6979), so the same input gives the same bytes; nothing here
reads a clock, a file or randomness, but for `new_key`. `cryptography` costs 20 MB of memory and is imported only
inside functions. Profile: RFC 5280. Made in `issuing`, read and judged in `inspection`; both load with `pem`.
"""

from .inspection import Summary, check, summary
from .issuing import Issuer, Validity, root, serial_from
from .pem import key_digest, new_key, public_key

__all__ = [
    "Issuer",
    "Summary",
    "Validity",
    "check",
    "key_digest",
    "new_key",
    "public_key",
    "root",
    "serial_from",
    "summary",
]
