"""Compare: marked trials on the same axes, with a table of what differs."""
