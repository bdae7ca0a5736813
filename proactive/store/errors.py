"""What can go wrong with storage, in the words of its callers.

StorageError
├── Conflict        the row is there already
├── Stale           the row was changed or removed since it was read (its ETag differs)
└── StorageAway     storage does not answer, throttles or refuses us: try again later
    └── InDoubt     a write met a conflict when it was repeated, perhaps with its own first try
"""


class StorageError(Exception):
    """Any of the errors of this module."""


class Conflict(StorageError):  # noqa: N818 - a conflict is an outcome that callers expect, not a fault
    """A row that was to be inserted is there already."""


class Stale(StorageError):  # noqa: N818 - losing a race is an outcome that callers expect, not a fault
    """A row that was to be changed is no longer as it was when it was read."""


class StorageAway(StorageError):  # noqa: N818 - as the two above
    """Storage did not do what was asked; the same call may go through later."""


class InDoubt(StorageAway):
    """A write was repeated, since its answer was lost, and met a conflict: with its own first try, or with a rival.

    Whoever can tell which by reading again does so. For everybody else it is as if the process had ended there.
    """
