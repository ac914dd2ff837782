"""Sharpness: curvature operators of the training loss, and the solver that finds their largest eigenvalue."""
