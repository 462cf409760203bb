"""The verbs of speedctl that this member owns: one module a verb."""
