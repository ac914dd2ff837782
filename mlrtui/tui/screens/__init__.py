"""Screens: they arrange panes, hold what is selected and answer keys."""
