"""speedctl: the root command, and the verbs that this member owns."""
