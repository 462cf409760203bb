"""`speedctl uninstall`: what there is to remove, in which order (pure), and doing it."""
