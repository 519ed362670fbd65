"""The gateway beside nginx and its peers in one run, as ratios against the targets.

Drives the yardstick in ``../shared/bench`` and reads its results. Ratios are of medians over the
rounds of this one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent.parent / "shared" / "bench"
TESTS = "max,rate500,flood,paced,hold2000,big"
ROUTES = ["oai-oai=chat:bench", "oai-giga=chat:giga", "oai-ant=chat:ant"]
NAMES = [route.partition("=")[0] for route in ROUTES]
PASSED_ON = {"oai-ant": "ant-ant"}
"""Route -> what nginx does instead, which knows no dialects."""

# (test, route, what, field path, our figure's target as a ratio to a peer's, peer)
TARGETS = [
    ("max", "oai-oai", "requests/s", ("rps",), ">=", 0.4, "nginx"),
    ("max", "oai-oai", "requests/s", ("rps",), ">=", 4.0, "tensorzero"),
    ("max", "oai-giga", "requests/s", ("rps",), ">=", 0.35, "nginx"),
    ("max", "oai-ant", "requests/s", ("rps",), ">=", 0.35, "nginx"),
    ("flood", "oai-oai", "chunks/s", ("chunks_s",), ">=", 0.8, "nginx"),
    ("flood", "oai-giga", "chunks/s", ("chunks_s",), ">=", 0.4, "nginx"),
    ("flood", "oai-ant", "chunks/s", ("chunks_s",), ">=", 0.4, "nginx"),
    ("big", "oai-oai", "requests/s", ("rps",), ">=", 3.0, "tensorzero"),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", default=TESTS)
    parser.add_argument("--targets", default="nginx,hot-full,tensorzero")
    parser.add_argument("--rounds", default="3")
    parser.add_argument("--secs", default="3")
    parser.add_argument("--out", default="yardstick.json")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--bench", type=Path, default=BENCH, help="folder of the yardstick")
    given = parser.parse_args()
    if not (given.bench / "bench.py").exists():
        print(f"The yardstick is not at {given.bench}; --bench names its folder.", file=sys.stderr)
        return 2
    if given.memory:
        return memory(given.bench)
    out = Path(given.out).resolve()
    out.unlink(missing_ok=True)
    command = [
        sys.executable, "bench.py", "run", "--name", "ours", "--port", "8200",
        "--cmd", f"{gateway()} serve --port {{port}} --config {HERE / 'bench.toml'}",
        "--header", "Authorization: Bearer sk-bench",
        "--targets", given.targets, "--tests", given.tests, "--rounds", given.rounds,
        "--secs", given.secs, "--out", str(out),
        "--routes", ",".join([*NAMES, *PASSED_ON.values()]),
    ]  # fmt: skip
    for route in ROUTES:
        command += ["--route", route]
    subprocess.run(command, cwd=given.bench, check=True)
    report(json.loads(out.read_text())["runs"])
    return 0


def gateway() -> str:
    return str(Path(sys.executable).with_name("dragoman"))


def figure(runs: list[dict], target: str, test: str, route: str, path: tuple[str, ...]) -> float:
    values = []
    for run in runs:
        if (run["target"], run["test"], run.get("route")) == (target, test, route):
            value = run
            for key in path:
                value = value[key]
            values.append(value)
    return statistics.median(values) if values else float("nan")


def report(runs: list[dict]) -> None:
    print("\n| figure | ratio | target |\n|---|---|---|")
    for test, route, what, path, sign, bound, peer in TARGETS:
        ours = figure(runs, "ours", test, route, path)
        other = PASSED_ON.get(route, route) if peer == "nginx" else route
        theirs = figure(runs, peer, test, other, path)
        ratio = ours / theirs
        print(f"| {test} {route} {what}, to {peer} | {ratio:.2f} | {sign} {bound} |")
    for quantile, bound in (("p50", 2.5), ("p99", 4.0)):
        base = figure(runs, "direct", "rate500", "oai-oai", ("lat", quantile))
        ours = figure(runs, "ours", "rate500", "oai-oai", ("lat", quantile)) - base
        theirs = figure(runs, "nginx", "rate500", "oai-oai", ("lat", quantile)) - base
        print(f"| added {quantile} at 500/s, to nginx | {ours / theirs:.2f} | <= {bound} |")
    for name, key, bound in (("first chunk", "ttft", 0.5), ("each chunk", "transit", 0.2)):
        for route in NAMES:
            base = figure(runs, "direct", "paced", route, (key, "p50"))
            ours = figure(runs, "ours", "paced", route, (key, "p50")) - base
            print(f"| paced {route}, added to {name}, ms | {ours / 1000:.2f} | <= {bound} |")
    for route in NAMES:
        kept = figure(runs, "ours", "hold2000", route, ("chunks_s",)) / 40_000
        cpu = figure(runs, "ours", "hold2000", route, ("cpu_pct",))
        rss = figure(runs, "ours", "hold2000", route, ("rss",))
        print(
            f"| 2,000 streams {route}: rate kept, CPU %, MB | {kept:.2f}, {cpu:.0f}, {rss:.0f}"
            " | 1, <= 75, <= 100 |"
        )
    for run in runs:
        if run["test"] == "start":
            print(
                f"| {run['target']}: s to first 200, idle MB | {run['startup_s']:.2f},"
                f" {run['idle_mb']:.0f} | <= 0.8, <= 80 |"
            )


def memory(bench: Path) -> int:
    """``rss.py`` of the yardstick, told of the gateway."""
    script = f"""
import sys; sys.path.insert(0, {str(bench)!r}); sys.argv = ["rss.py", "ours", "100000", "2000"]
import peers
known = peers.targets
def targets(T):
    found = known(T)
    found["ours"] = T("ours", {gateway() + " serve --port {port} --config " + str(HERE / "bench.toml")!r}, 8200,
        routes={{"oai-oai": {{"api": "chat", "model": "bench", "headers": ["Authorization: Bearer sk-bench"]}}}})
    return found
peers.targets = targets
exec(open({str(bench / "rss.py")!r}).read())
"""  # noqa: E501
    return subprocess.run([sys.executable, "-c", script], cwd=bench, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
