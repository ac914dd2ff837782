"""Everything that mlrtui has to show on a GPU, in one command of ten minutes: ``python -m benchmarks.device``.

Stages 1 to 7 need `mlrtui_trainer`, NumPy, torch and pytest alone; stage 8 needs the whole installation. Every stage
runs in a process of its own with a time limit, and what it has measured is on disk at once, so a stage that fails,
hangs or runs out of time costs its own numbers only.
"""
