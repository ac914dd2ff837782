"""Exponents: a scaling fit over the cells of a sweep."""
