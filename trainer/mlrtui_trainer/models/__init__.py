"""Networks as stacked lanes: every tensor's first axis counts trainings that run side by side."""
