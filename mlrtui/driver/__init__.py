"""The one process that plans, hands out work and writes the store."""
