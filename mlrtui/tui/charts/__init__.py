"""Charts as pure functions: a frozen spec and a size go in, lines of styled text come out. No terminal library here."""
