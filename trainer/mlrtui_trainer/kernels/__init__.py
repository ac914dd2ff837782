"""Training on a GPU by a kernel of Triton: one program a lane, many steps a launch."""
