"""The Kubernetes client layer on pykube-ng: configuration, transport, reading, server-side apply.

How it fits together, from the bottom up:

- `errors` says what an answer means for the caller: wait, give up, or ask the user.
- `access` finds out which API server to talk to and as whom: kubeconfig files or the pod's service account.
- `credentials` are what proves it: tokens that rotate, plugins that mint them, certificates.
- `transport` sends one request and returns one decoded answer.
- `discovery` turns a kind (`apps/v1 Deployment`) into a path (`/apis/apps/v1/namespaces/…/deployments`).
- `client` offers the verbs: get, list, pages, apply, patch, delete.

Imported by the controller, by the data plane's readers and by `speedctl`. Nothing here knows what Speedscale is.
"""

from .access import Access, load
from .client import Client, Page
from .discovery import Resource
from .objects import Object, Ref, ref

__all__ = ["Access", "Client", "Object", "Page", "Ref", "Resource", "load", "ref"]
