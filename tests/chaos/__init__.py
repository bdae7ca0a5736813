"""Processes are cut by a seeded schedule wherever a crash could matter: `python -m tests.chaos <seed>` plays one."""
