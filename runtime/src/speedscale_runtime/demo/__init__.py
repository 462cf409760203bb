"""The demo: a small shop whose traffic is recorded, redacted, mocked and replayed by `make demo`.

`shop` is the application under test, `accounts` and `payments` are its dependencies, `client` its customers,
`walkthrough` the story that is told. They are ordinary programs that know nothing of what records them.
"""
