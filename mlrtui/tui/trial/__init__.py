"""Trial: one trial in full, with a cursor that its charts share."""
