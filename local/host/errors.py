"""What the person at the terminal is told when the stack cannot start."""


class StartError(Exception):
    """The stack cannot start; the text says why and what to do, and nothing else needs to be shown."""
