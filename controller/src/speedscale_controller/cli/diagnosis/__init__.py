"""The checks of `speedctl doctor`: facts are gathered once, each check judges them without I/O, results are printed."""
