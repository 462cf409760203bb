"""The responder: answers recorded requests in place of the dependencies, over HTTP, TLS and as a forward proxy."""
