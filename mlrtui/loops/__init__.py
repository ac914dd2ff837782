"""The maximal learning rate of trainings that are not ours: functions of a user's own script."""
