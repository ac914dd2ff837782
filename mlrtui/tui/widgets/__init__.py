"""Panes: a pure function makes the lines, a small widget repaints the rows that changed."""
