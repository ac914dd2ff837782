"""The terminal screens: they read a store and never write to it."""
