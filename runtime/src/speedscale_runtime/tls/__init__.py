"""The local certificate authority, leaf certificates per name, and what makes applications trust them."""
