"""A replay's one link to what lies outside of the namespace under test: snapshot in, results, logs, events and report out."""
