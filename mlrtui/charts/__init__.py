"""Charts as pure functions: a frozen spec and a size in, lines of styled text out. Nothing here imports textual."""
