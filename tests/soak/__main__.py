"""Records against the simulator for some minutes and checks all of it: `python -m tests.soak [minutes]`.

A recorder of indexes alone comes first, a twentieth as long, so that the delays of ticks can be compared.
"""

import sys
import tempfile
from pathlib import Path

from tests.soak.soak import soak

_USUAL_MINUTES = 60.0


def main(minutes: float) -> int:
    with tempfile.TemporaryDirectory(prefix="tickwell-soak-") as folder:
        found = soak(Path(folder), seconds=60 * minutes, alone_s=max(20.0, 3 * minutes))
    print("\n".join(found.lines))
    failed = [*found.faults, *found.beyond]
    for line in failed:
        print(f"FAILED {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else _USUAL_MINUTES))
