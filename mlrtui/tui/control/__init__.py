"""Control: a screen asks, and starts the command line's own command as a process that outlives it."""
