"""Whether a namespace lets replays of another in, as the store of namespaces knows it.

Used by `memory` (patches in force) and by the identity part (Secrets for a replay), which must never differ: a
namespace that is not known has not consented. The rule itself is `replay.consents`.
"""

from __future__ import annotations

from collections.abc import Callable

from speedscale_controller.replay import consents
from speedscale_kube import Store

from .collections import Labelled


def consented(spaces: Store[Labelled], own: Callable[[], str]) -> Callable[[str, str], bool]:
    """Return `f(home, namespace)`: may replays of `home` use `namespace`? `own()` is the operator's namespace."""

    def answer(home: str, namespace: str) -> bool:
        known = spaces.get(("", namespace))
        return consents(home, namespace, own(), dict(known.annotations) if known else {})

    return answer
