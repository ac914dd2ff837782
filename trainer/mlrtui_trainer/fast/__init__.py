"""Compiled routes, used where numba is installed (`pip install "mlrtui[fast]"`); nothing needs them."""
