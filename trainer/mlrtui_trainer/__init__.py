"""The instrument: trains lanes of networks and measures sharpness. Imports the standard library, NumPy and torch only.

`spec`, `search`, `phases`, `theory` and `seeds` need NumPy at most; `lanes`, `curvature`, `models` and `worker` need torch.
"""
