"""Scaling fits, the small language of their expressions, and progress: NumPy and scipy.special, no torch, no screen."""
