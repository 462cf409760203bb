"""A replay's one link to what lies outside of the namespace under test: snapshot in, results, logs and report out.

`speedscale-collector` is the service (`server`), `speedscale-fetch` the pods' init container (`fetch`). A failed
collector fails no replay: whoever asks it has another way, or does without.
"""
