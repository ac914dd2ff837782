"""What each command does, one file per subject; `mlrtui.cli` only parses arguments."""
