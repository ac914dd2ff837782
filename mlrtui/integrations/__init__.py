"""Recorders for training frameworks, one module each; none is imported before it is asked for."""
