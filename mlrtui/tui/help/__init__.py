"""Help, and the palette of commands: both are made from the table of keys."""
