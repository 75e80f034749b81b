"""All hostile inputs and faults, the long ones too, counted.

    python -m benchmarks.robustness.hostile [OPTIONS of pytest]

The same as ``python3 dev.py test --hostile``. About 25 minutes on 2 CPU cores with nothing else running.
"""

from __future__ import annotations

import re
import subprocess
import sys

from benchmarks.robustness.keep import keep


def main() -> int:
    """Run them; 1 where one failed."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/hostile", "--hostile", *sys.argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)
    counted = re.search(r"tried (\d+), failed (\d+)", done.stdout)
    if counted is not None:
        keep("hostile", {"tried": int(counted[1]), "failed": int(counted[2])})
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
