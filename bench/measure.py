"""Runs one program and says what it cost: wall time, CPU time, peak memory."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass

# Servers and peers are on loopback; a proxy in the environment would only stand in between.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@dataclass(frozen=True)
class Cost:
    wall: float  # seconds
    cpu: float  # seconds, user and system, with all child processes
    peak: float  # MB of the largest single process


class Failed(Exception):
    """A program under measurement did not do its work."""


def run(command, *, stdin_text=None, environment=None, log):
    """Runs a command to its end; its output goes to the file `log`."""
    with open(log, "wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin_text is not None else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT | (environment or {}),
        )
        if stdin_text is not None:
            with process.stdin as pipe:
                pipe.write(stdin_text.encode())
        # Not process.wait(): only wait4 tells what this one child used. (Its peak is never below this
        # program's own 20 MB, which Linux counts in at the fork.)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failed(f"{command[0]} ended with {process.returncode}; its output is in {log}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(costs):
    """The median of each figure by itself."""
    figures = ("wall", "cpu", "peak")
    return Cost(*(statistics.median(getattr(cost, figure) for cost in costs) for figure in figures))


def spread(costs):
    """The slowest run's wall time over the fastest's: how far to trust the median."""
    return max(cost.wall for cost in costs) / min(cost.wall for cost in costs)
