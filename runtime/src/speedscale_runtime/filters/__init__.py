"""Filter rules: which pairs a rule speaks of. In the forwarder a match drops, in a selection it keeps."""

from .builtin import builtin, builtin_names
from .query import format_query, parse_query
from .rule import Rule, compile_rule

__all__ = ["Rule", "builtin", "builtin_names", "compile_rule", "format_query", "parse_query"]
