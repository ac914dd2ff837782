"""Claims of papers: their bands, how each number is taken from a store, and the verdict."""
