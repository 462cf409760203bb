"""Composition: the operator's processes, who leads, what runs, how it ends. `python -m speedscale_controller.manager`.

Nothing imports this package but `cli`.
"""
