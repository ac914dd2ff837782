"""What each command does, one file a subject; `mlrtui.cli` only parses."""
