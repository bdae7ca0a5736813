"""What a process has used, as Linux tells it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of processor time up to now, children that have ended included, and the most memory held, in MB."""

    cpu_seconds: float
    peak_mb: float


def used(pid: int) -> Used:
    """Return what a process has used. Raises FileNotFoundError when it has ended (or this is not Linux)."""
    # The name in brackets may hold spaces; utime, stime, cutime and cstime are the 14th to 17th field.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return Used(sum(map(int, fields[11:15])) / _TICKS, int(peak[1]) / 1024 if peak else 0.0)


def forget_peak(pid: int) -> None:
    """Let the most memory that a process has held count from now on: imports at its start hold more for a moment."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")  # proc(5): resets the peak resident set size


def machine() -> str:
    """Return what this machine is: cores and memory, and nothing else."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB of memory"
