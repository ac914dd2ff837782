"""Phases: every trial by its phase over η·λ₀."""
