"""Routes behind the doors: translation between HTTP and the rooms, and nothing else."""
