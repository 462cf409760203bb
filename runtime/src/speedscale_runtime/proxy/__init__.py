"""The sidecar proxy: the application's traffic goes through it, a copy of every exchange goes to the forwarder."""
