"""Log: the events of a store."""
