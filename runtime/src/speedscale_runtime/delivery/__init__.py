"""Handing files over between a replay's pods and its collector: how they are packed, and the client's side of the wire.

Used by generator and responder (results out), by `speedscale-fetch` (snapshot in) and by the collector (`archive`).
Below all of them, because services meet over the wire only. Nothing here knows what is in a results folder. `pauses`
is for all who send and try again, the sidecar among them: nothing is loaded with this package itself.
"""
