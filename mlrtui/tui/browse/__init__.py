"""Browse: the sweeps of every store that was opened, filtered, sorted and bookmarked."""
