"""Which proxy an address is reached by, the same for everything of ours that sends out of a cluster.

Not left to each library: one knows the names in lower case alone, another takes a user and password from ~/.netrc in
the place of ours. Kafka knows no HTTP proxy, boto3 asks the same question of the same environment.
"""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for this address; None for none.

    HTTP_PROXY, HTTPS_PROXY by the address' scheme, NO_PROXY, in either case; what is in lower case wins.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if urllib.request.proxy_bypass(parts.netloc) or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme) or None
