"""How to get at the values inside one encoding and how to write them back: one module each.

Each is given the engine to ask about what it has decoded, and returns edits over its own input; none decides what
is a value.
"""
