"""The store: one SQLite file with one writer and any number of readers. Imports the standard library only."""
