"""Seconds from the command to the first 200, megabytes at rest, and the slowest imports."""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PORT = 8299


def first_200() -> tuple[float, float]:
    command = [str(Path(sys.executable).with_name("dragoman")), "serve", "--port", str(PORT),
               "--config", str(HERE / "bench.toml")]  # fmt: skip
    begun = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=1)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                time.sleep(0.005)
        seconds = time.monotonic() - begun
        time.sleep(1)
        status = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return seconds, int(re.search(r"Pss:\s+(\d+)", status)[1]) / 1024
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    found = [first_200() for _ in range(5)]
    print(
        f"first 200 after {statistics.median(s for s, _ in found):.2f} s (target 0.8),"
        f" {statistics.median(m for _, m in found):.0f} MB at rest (target 80)"
    )
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import dragoman.app"],
        capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    rows = re.findall(r"import time:\s+\d+ \|\s+(\d+) \| (\s*)(\S+)", listing)
    slow = sorted(((int(us), name) for us, _, name in rows), reverse=True)[:15]
    for us, name in slow:
        print(f"{us / 1000:8.1f} ms  {name}")


if __name__ == "__main__":
    main()
