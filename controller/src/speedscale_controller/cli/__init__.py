"""The verbs of speedctl that the operator owns: one module a verb."""
