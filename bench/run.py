#!/usr/bin/env python3
"""The benchmark suite: measures what is promised, prints one Markdown table, writes a JSON report and pictures.

    bench/run.py --asof build/asof --tools build/release/bin [--out build/bench] [--only start,instructions,load,feast,serve,join] [--docs]

Nothing here asserts: it prints what was reached beside what was asked. Data are made once and kept in the output folder.
"""

import argparse
import ctypes
import os
import pathlib
import platform
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

from suite import process, report  # noqa: E402
from suite.endurance import Endurance  # noqa: E402
from suite.feast import Feast  # noqa: E402
from suite.instructions import Instructions  # noqa: E402
from suite.joins import Joins, Scale  # noqa: E402
from suite.loads import Loads  # noqa: E402
from suite.peers import Peers  # noqa: E402
from suite.serving import LargeStore, Serving  # noqa: E402
from suite.tables import BASE, Tables  # noqa: E402


ROOT = pathlib.Path(__file__).resolve().parent.parent


class Start:
    """What a command costs before it has done anything, and a plan over many views."""

    def __init__(self, suite):
        self.suite = suite

    def run(self):
        best = min(process.run([self.suite.asof, "version"]).seconds for _ in range(10))
        self.suite.report("asof version", "30 ms", f"{best * 1000:.0f} ms", best < 0.03, "asof version", part="start", headline=True)
        path = self.suite.out / "repositories" / "plan"
        shutil.rmtree(path, ignore_errors=True)
        (path / "features").mkdir(parents=True)
        (path / "asof.yaml").write_text("project: plan\n")
        for n in range(10):
            self.suite.tables.sql(f"COPY (SELECT i::BIGINT AS user_id, {BASE} AS ts, i::BIGINT AS a, i::DOUBLE AS b "
                                  f"FROM range(1000) t(i)) TO '{path}/s{n}.parquet' (FORMAT parquet)")
        text = "entities:\n  - {name: user, join_keys: [{name: user_id, type: int64}]}\nsources:\n"
        text += "".join(f"  - {{name: s{n}, path: s{n}.parquet, event_time: ts}}\n" for n in range(10))
        text += "views:\n" + "".join(
            f"  - {{name: v{n}, entity: user, source: s{n % 10}, features: [{{name: a{n}, type: int64, column: a}}, "
            f"{{name: b{n}, type: float64, column: b}}]}}\n" for n in range(1000))
        (path / "features" / "many.yaml").write_text(text)
        best = min(process.run([self.suite.asof, "-C", path, "plan"]).seconds for _ in range(3))
        self.suite.report("asof plan, 1,000 views over 10 source files", "1 s", f"{best:.2f} s", best < 1, "asof plan", part="start",
                          headline=True)


PARTS = {"start": Start, "instructions": Instructions, "load": Loads, "feast": Feast, "serve": Serving, "join": Joins,
         "scale": Scale, "large": LargeStore, "endurance": Endurance}
MINUTES = ("start", "instructions", "load", "feast", "serve", "join")  # what runs unless told otherwise
LONG = {"scale": "100 M and 300 M rows", "large": "a store of 10 GB", "endurance": "ten minutes of load"}


class Suite:
    def __init__(self, arguments):
        self.asof = pathlib.Path(arguments.asof).resolve()
        self.tools = pathlib.Path(arguments.tools).resolve()
        self.out = pathlib.Path(arguments.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.runs = arguments.runs
        self.seconds = arguments.seconds
        self.endurance_seconds = arguments.endurance_seconds
        self.record = arguments.record
        self.tables = Tables(self.out, self.tools, self.asof)
        self.peers = Peers(self.out)
        self.rows = []
        self.curves = {}

    def report(self, what, wanted, reached, met, command, **more):
        self.rows.append({"what": what, "wanted": wanted, "reached": reached, "met": met, "command": command, **more})
        print(report.documented(self.rows[-1]), flush=True)

    @staticmethod
    def commit():
        found = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
        return f" ({found.stdout.strip()})" if found.returncode == 0 else ""

    @staticmethod
    def duckdb_version():
        library = ctypes.CDLL(str(ROOT / "third_party" / "duckdb" / "lib" / "libduckdb.so"))
        library.duckdb_library_version.restype = ctypes.c_char_p
        return library.duckdb_library_version().decode().removeprefix("v")

    def machine(self):
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False).stdout
        wrk = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout.split()
        versions = [process.run([self.asof, "version"]).text.strip().splitlines()[0] + self.commit(), f"DuckDB {self.duckdb_version()}"]
        versions += [f"wrk {wrk[1]}"] if wrk else []
        versions += [word.replace("v=", "redis ") for word in redis.split() if word.startswith("v=")]
        versions += [f"{name} {version}" for name, version in self.peers.installed.items() if version]
        return {"cores": os.cpu_count(), "cpu": cpu, "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
                "kernel": platform.release(), "versions": ", ".join(versions)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asof", default="build/asof", help="the program")
    parser.add_argument("--tools", default="build/release/bin", help="where bench_sql, bench_load and bench_echo are")
    parser.add_argument("--out", default="build/bench", help="data, repositories and reports")
    parser.add_argument("--only", default=",".join(MINUTES),
                        help=f"parts, with commas between: {', '.join(PARTS)}; scale, large and endurance take long")
    parser.add_argument("--runs", type=int, default=3, help="how often each is run; the best counts")
    parser.add_argument("--seconds", type=int, default=10, help="how long a load lasts")
    parser.add_argument("--endurance-seconds", type=int, default=600, help="how long the load of the part endurance lasts")
    parser.add_argument("--record", action="store_true", help="record the instruction counts in bench/instructions.json")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md and the tables of the documents")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    for name in names:
        if name not in PARTS:
            parser.error(f"there is no part '{name}'; the parts are {', '.join(PARTS)}")
    if arguments.docs and set(names) != set(PARTS):
        parser.error("--docs wants every part: make bench-full BENCH=--docs")
    suite = Suite(arguments)
    result = {"made": report.now(), "command": " ".join(["bench/run.py", *sys.argv[1:]]), "machine": suite.machine(), "rows": suite.rows,
              "curves": suite.curves}
    print(f"{report.machine_line(result['machine'])}\n\n{report.HEAD}", flush=True)
    for name in names:
        PARTS[name](suite).run()
    result["files"] = suite.tables.describe_used()
    report.write(result, suite.out)
    print(f"\nThe report is {suite.out / 'report.md'}, with report.json and pictures beside it.")
    left_out = [f"{what} ({name})" for name, what in LONG.items() if name not in names]
    if left_out:
        print(f"Left out, as they take long: {', '.join(left_out)}. `make bench-full` has them.")
    if arguments.docs:
        report.write_docs(result)


if __name__ == "__main__":
    main()
