"""Many shapes generated and written: seconds and memory, in one process and with one a core.

    python benchmarks/generate_shapes.py runs/chairs --count 200

RUN is the folder of a training of shapes. `python -m voxel generate` writes GLBs, a contact sheet
and a turntable; its memory and that of its worker processes is read from /proc ten times a second.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory


def resident_megabytes(parent: int) -> list[float]:
    """Resident memory of a process and of all that it has started."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        except (OSError, ValueError):
            continue  # it has just ended
        number = int(fields["Pid"])
        parents[number] = int(fields["PPid"])
        sizes[number] = int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    family = {parent}
    while more := {number for number, of in parents.items() if of in family} - family:
        family |= more
    return [sizes[number] for number in family if number in sizes]


def measure(run: Path, count: int, workers: int) -> str:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "voxel", "generate", str(run), "--out", folder]
        command += ["--count", str(count), "--largest", "--smooth", "--num_workers", str(workers)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began, largest, total = time.perf_counter(), 0.0, 0.0
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            sizes = resident_megabytes(process.pid)
            largest, total = max([largest, *sizes]), max(total, sum(sizes))
            time.sleep(0.1)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode:
            sys.exit(process.returncode)
        files = len(list(Path(folder).glob("*.glb")))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"{workers} worker processes: {files} files in {wall:.1f} s ({cpu:.1f} s CPU), peak memory"
        f" {largest:.0f} MB of the largest process and {total:.0f} MB of all"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds and memory of generating many shapes.")
    parser.add_argument("run", nargs="?", type=Path, help="Folder of a training of shapes.")
    parser.add_argument("--count", type=int, default=200)
    chosen = parser.parse_args()
    if chosen.run is None:
        print("give the folder of a training of shapes, such as runs/chairs")
        return
    for workers in (0, os.cpu_count() or 1):
        print(measure(chosen.run, chosen.count, workers), flush=True)


if __name__ == "__main__":
    main()
