"""Live: the grid of a sweep, the trials of a cell, the curves of a trial."""
