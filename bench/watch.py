"""Looks at a process and all that it started from outside (Linux): what they hold of memory."""

import os
import subprocess
import time
from pathlib import Path

MIB = 1 << 20


def tree(pid):
    """The process and its descendants."""
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in listing(f"/proc/{pid}/task"):
            try:
                waiting += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
            except OSError:
                pass
    return found


def listing(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def share(pid, field="Pss"):
    """Bytes of one process: its share of what it maps, or another field of smaps_rollup; 0 of one that is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == field + ":"), 0)


def unmapped(pids):
    """Bytes of files in memory (memfd) that the processes hold open: in nobody's resident set unless mapped."""
    files = {}
    for pid in pids:
        for number in listing(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{number}"
            try:
                if os.readlink(path).startswith("/memfd:"):
                    status = os.stat(path)
                    files[status.st_ino] = status.st_blocks * 512
            except OSError:
                pass
    return sum(files.values())


def total(pid):
    """Bytes that a process and all that it started hold together: shared pages once, files in memory as well."""
    pids = tree(pid)
    return sum(map(share, pids)) + unmapped(pids)


def run(command, log, environment=None):
    """Runs a command to its end: exit code, seconds, and the most bytes that it held, looked at every 10 ms."""
    with open(log, "wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        most = 0
        while process.poll() is None:
            most = max(most, total(process.pid))
            time.sleep(0.01)
        return process.returncode, time.perf_counter() - began, most
