"""Trainings of the user's: which function, what it reports, and how each one ends.

A training's own process starts often, so `reports`, `code` and `process` import the standard library alone; `records`
makes what a store takes.
"""
