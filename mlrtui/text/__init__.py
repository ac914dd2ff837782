"""Text and numbers for people, the same on every screen, in reports and in commands. Nothing here imports textual."""
