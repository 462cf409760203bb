"""The data plane: services, the pure code they share, and speedctl."""
