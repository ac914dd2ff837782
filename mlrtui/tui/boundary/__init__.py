"""Boundary: the search of one net as a picture, round by round."""
