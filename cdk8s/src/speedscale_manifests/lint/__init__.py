"""Finds wrong annotations and TrafficReplays in any YAML, before they reach a cluster.

`read(text, source)` gives documents with line numbers, `lint(documents)` the findings; `RULES` is the table of rules.
Pure: reading files is the verb's work. What is right and wrong is said by `speedscale_schemas`.
"""

from .documents import read, unreadable
from .engine import lint, patch_files
from .model import Document, Problem
from .rules import RULES, Rule

__all__ = ["RULES", "Document", "Problem", "Rule", "lint", "patch_files", "read", "unreadable"]
