"""Injects every kind of fault many times and prints the results: `python -m tests.faults [part of a name] …`."""

import sys
import tempfile
from pathlib import Path

from tests.faults.parts import may_mount
from tests.faults.runs import chosen, kills, run_all, table

_AT_ONCE = 6


def main(*parts: str) -> int:
    with tempfile.TemporaryDirectory(prefix="tickwell-faults-") as folder:
        probe = Path(folder) / "mount"
        probe.mkdir()
        mounts = may_mount(probe)
        kinds = chosen(mounts=mounts)
        times = {
            name: kind.kills or kind.times
            for name, kind in kinds.items()
            if not parts or any(part in name for part in parts)
        }
        results = []
        for result in run_all(Path(folder), times, _AT_ONCE, long=True):
            results.append(result)
            sys.stderr.write(f"{len(results)} of {len(times)}: {result.fault}{'' if result.well else ' FAILED'}\n")
    sys.stdout.write(f"{table(results)}\n{kills(results)} kills\n")
    if not mounts:
        sys.stdout.write("Without the right to mount file systems, full and read-only disks were left out.\n")
    return 0 if all(result.well for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
