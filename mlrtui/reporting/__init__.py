"""Reports of sweeps as one file that needs nothing else: what was found, how, and how to repeat it."""
