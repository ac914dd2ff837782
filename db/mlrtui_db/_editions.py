"""What schema 4 says of trials that earlier versions stored: a verdict's new name, and whose rules named the phase.

One home for the step that brings a store up to date and for readers of a store that is not.
"""

__all__ = ["BEFORE_SCHEMA_4", "UNDECIDED"]

BEFORE_SCHEMA_4 = {
    "verdict": "CASE verdict WHEN 'too-slow' THEN 'not-reached' ELSE verdict END",
    "phase_rule": "CASE WHEN phase IS NOT NULL THEN 1 END",
    "phase_reason": "CASE WHEN phase IS NOT NULL THEN 'named by the first edition of the rules' END",
}
"""Columns of table ``trial`` as SQL on the columns that a store of schema 1, 2 or 3 has."""

UNDECIDED = "named by the first edition of the rules: what is stored does not decide by the second"
"""The reason of a phase that could not be named anew."""
