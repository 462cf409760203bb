"""The contracts that every part shares: JSON Schemas and pure code over them. No I/O."""
