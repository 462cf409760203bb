"""The redaction key: made once in our own namespace, copied to where a replay runs, never overwritten."""

from __future__ import annotations

from speedscale_controller.certificates import dlp
from speedscale_controller.certificates.model import Verdict
from speedscale_controller.certificates.names import DLP_KEY, FIRST_DLP_KEY
from speedscale_controller.certificates.secret import Content

from .desk import Desk, which


class Redaction:
    """What comes of Secret `speedscale-dlp-key`, or the one that `dlp.keySecret` names."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen = False

    def reconcile(self) -> None:
        """Make the key where there is none and it is ours to make; tell what is wrong with it otherwise."""
        desk = self._desk
        if not desk.settings.dlp_config:
            return
        name = desk.settings.dlp_key_secret
        content = desk.read(desk.own, name)
        found = dlp.inspect(content.data)
        if found.verdict is Verdict.ISSUE and name == DLP_KEY and desk.foreign(content, adopt=True) is None:
            desk.write(content, desk.own, name, {FIRST_DLP_KEY: desk.entropy.dlp_key().encode("ascii")})
            if self._seen:
                message = "the redaction key was gone and is a new one: what was redacted before no longer matches"
                desk.teller.tell(which(desk.own, name), "RedactionKeyMadeAnew", message)
        elif not found.good:
            desk.teller.tell(which(desk.own, name), "RedactionKeyNotGood", found.message)
        self._seen = True

    def source(self) -> Content | None:
        """Return the Secret to copy, None where redaction is off or there is no good key."""
        desk = self._desk
        if not desk.settings.dlp_config:
            return None
        content = desk.read(desk.own, desk.settings.dlp_key_secret)
        return content if dlp.inspect(content.data).good else None
