"""The instrument: trains lanes of networks and measures sharpness. Imports the standard library, NumPy and torch.

`spec`, `search`, `phases`, `theory` and `seeds` need NumPy at most; the rest needs torch.
"""
