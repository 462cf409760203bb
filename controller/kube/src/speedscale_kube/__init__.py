"""The Kubernetes client layer on pykube-ng: configuration, transport, reading, server-side apply.

How it fits together, from the bottom up:

- `errors` says what an answer means for the caller: wait, give up, or ask the user.
- `access` finds out which API server to talk to and as whom: kubeconfig files or the pod's service account.
- `credentials` are what proves it: tokens that rotate, plugins that mint them, certificates.
- `transport` sends one request and returns one decoded answer.
- `discovery` turns a kind (`apps/v1 Deployment`) into a path (`/apis/apps/v1/namespaces/…/deployments`).
- `client` offers the verbs: get, list, pages, watch, apply, create, update, patch, delete; `watch` reads what it opens.

On these stands what makes a controller, told as one walk in `docs/kube.md`:

- `reflector` mirrors a collection into a `store`, whose handlers put keys into a `queue`.
- `worker` takes keys from the queue and has them reconciled; a failure's class says when again.
- `lease` says which of several replicas writes, `events` tells users, `stop` ends it all.

Imported by the controller, by the data plane's readers and by `speedctl`. Nothing here knows what Speedscale is.
"""

from .access import Access, load
from .client import Client, Page
from .discovery import Resource
from .events import Recorder
from .lease import Leader, NotLeaderError
from .objects import Object, Ref, ref
from .queue import Queue
from .reflector import Reflector, Reflectors
from .stop import Stop
from .store import Key, Store
from .worker import Result, Worker

__all__ = [
    "Access",
    "Client",
    "Key",
    "Leader",
    "NotLeaderError",
    "Object",
    "Page",
    "Queue",
    "Recorder",
    "Ref",
    "Reflector",
    "Reflectors",
    "Resource",
    "Result",
    "Stop",
    "Store",
    "Worker",
    "load",
    "ref",
]
