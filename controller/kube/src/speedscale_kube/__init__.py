"""The Kubernetes client layer on pykube-ng: configuration, transport, reading, server-side apply."""
