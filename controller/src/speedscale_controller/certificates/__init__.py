"""Certificates and secrets, decided and made without I/O: policies, issuing, bundles, rotation, tokens.

`policies` says what is the matter with a certificate, `issuing` makes one, `bundles` are what clients trust,
`rotation` is the webhook CA's life step by step, `roots` that of the interception root and what namespaces get of it,
`senders` the tokens, `secret` turns all this into Secrets and back. Time and randomness are arguments. Called by
`identity`, which does the reading and writing.
"""

from .issuing import Entropy
from .model import Case, Finding, Pair, Reason, Verdict
from .names import Certificate
from .policies import inspect

__all__ = ["Case", "Certificate", "Entropy", "Finding", "Pair", "Reason", "Verdict", "inspect"]
