#!/usr/bin/env python3
"""The benchmark suite: measures what issue-level promises name, prints one Markdown table and one JSON report.

    bench/run.py --asof build/asof --tools build/release/bin [--out build/bench] [--only join,materialize,…] [--docs]

Nothing here asserts: it prints what was reached beside what was asked. Data are made once and kept in the output folder.
Wall time and peak memory are those of the whole process (rusage of the child).
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROWS, LABELS, USERS = 10_000_000, 1_000_000, 1_000_000
BASE = "TIMESTAMP '2026-01-01 00:00:00'"
NOW = "2026-05-08T00:00:00Z"


def run_process(command, cwd=None, env=None):
    """Runs a command; returns its wall seconds, CPU seconds, peak MB and output. Exits where it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        out.seek(0)
        text = out.read().decode(errors="replace")
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{text[-2000:]}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024, "text": text}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"bench: the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"bench: {url} did not answer within {seconds} s")


class Bench:
    def __init__(self, arguments):
        self.asof = str(pathlib.Path(arguments.asof).resolve())
        self.tools = pathlib.Path(arguments.tools).resolve()
        self.out = pathlib.Path(arguments.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.runs = arguments.runs
        self.seconds = arguments.seconds
        self.rows = []

    def report(self, what, wanted, reached, met, command, **more):
        self.rows.append({"what": what, "wanted": wanted, "reached": reached, "met": met, "command": command, **more})
        print(f"| {what} | {wanted} | {reached} | {'yes' if met else 'NO'} |", flush=True)

    def sql(self, *statements):
        return run_process([self.tools / "bench_sql", *statements])

    # --- data ---------------------------------------------------------------------------------------------------

    def features_file(self):
        path = self.out / "features.parquet"
        if not path.exists():
            self.sql(f"""COPY (SELECT (hash(i) % {USERS})::BIGINT AS user_id,
              {BASE} + to_microseconds((hash(i + 1000000000) % 7776000000)::BIGINT * 1000) AS event_timestamp,
              (hash(i + 1) % 1000)::BIGINT AS f1, (hash(i + 2) % 100000)::BIGINT / 1000.0 AS f2,
              (hash(i + 3) % 50)::BIGINT AS f3, (hash(i + 4) % 1000000)::BIGINT / 7.0 AS f4,
              (hash(i + 5) % 1000000)::BIGINT AS f5
              FROM range({ROWS}) t(i)) TO '{path}' (FORMAT parquet, COMPRESSION zstd)""")
        return path

    def labels_file(self):
        path = self.out / "labels.parquet"
        if not path.exists():
            self.sql(f"""COPY (SELECT (hash(i + 7000000000) % {USERS})::BIGINT AS user_id,
              {BASE} + to_microseconds((hash(i + 8000000000) % 7776000000)::BIGINT * 1000) AS event_timestamp,
              (i % 2)::INTEGER AS label FROM range({LABELS}) t(i)) TO '{path}' (FORMAT parquet, COMPRESSION zstd)""")
        return path

    def repository(self, name, online, features, services):
        """A repository over the generated tables: views wide1 … with ten features each."""
        path = self.out / name
        shutil.rmtree(path, ignore_errors=True)
        (path / "features").mkdir(parents=True)
        (path / "asof.yaml").write_text(f"project: bench\nonline: {online}\n")
        (path / "features" / "bench.yaml").write_text(features + services)
        return path

    def table_repository(self, name, online):
        features = f"""entities:
  - {{name: user, join_keys: [{{name: user_id, type: int64}}]}}
views:
  - name: stats
    entity: user
    source: {{path: {self.features_file()}, event_time: event_timestamp}}
    features: [{{f1: int64}}, {{f2: float64}}, {{f3: int64}}, {{f4: float64}}, {{f5: int64}}]
services:
  - {{name: model, features: [stats]}}
"""
        path = self.repository(name, online, features, "")
        run_process([self.asof, "-C", path, "apply"])
        return path

    def wide_repository(self, name, online, users=100_000, views=5, per_view=10):
        source = self.out / f"wide_{views}x{per_view}.parquet"
        if not source.exists():
            columns = ", ".join(
                f"(hash(i + {n}) % 1000000)::BIGINT AS c{n}" if n % 2 == 0 else
                f"(hash(i + {n}) % 1000000)::BIGINT / 1000.0 AS c{n}" for n in range(views * per_view))
            self.sql(f"COPY (SELECT i::BIGINT AS user_id, {BASE} AS event_timestamp, {columns} "
                     f"FROM range({users}) t(i)) TO '{source}' (FORMAT parquet)")
        text = "entities:\n  - {name: user, join_keys: [{name: user_id, type: int64}]}\nviews:\n"
        for view in range(views):
            text += f"  - name: v{view}\n    entity: user\n"
            text += f"    source: {{path: {source}, event_time: event_timestamp}}\n    features:\n"
            for n in range(view * per_view, (view + 1) * per_view):
                text += f"      - c{n}: {'int64' if n % 2 == 0 else 'float64'}\n"
        text += "services:\n"
        text += "  - {name: three, features: ['v0:c0', 'v0:c1', 'v0:c2']}\n"
        text += "  - {name: ten, features: [v0]}\n"
        text += f"  - {{name: all, features: [{', '.join(f'v{v}' for v in range(views))}]}}\n"
        path = self.repository(name, online, text, "")
        run_process([self.asof, "-C", path, "apply"])
        if online != "memory:":  # which its server loads itself
            run_process([self.asof, "-C", path, "materialize"])
        return path

    # --- measurements -------------------------------------------------------------------------------------------

    def join(self):
        repository = self.table_repository("join", "lmdb:.asof/online")
        labels, output = self.labels_file(), self.out / "train.parquet"
        train = [self.asof, "-C", repository, "train", "--labels", labels, "--service", "model", "-o", output]
        peer = f"""COPY (SELECT l.*, s.f1, s.f2, s.f3, s.f4, s.f5 FROM '{labels}' l
          ASOF LEFT JOIN '{self.features_file()}' s
          ON l.user_id = s.user_id AND l.event_timestamp >= s.event_timestamp)
          TO '{self.out / 'peer.parquet'}' (FORMAT parquet)"""
        ours, theirs = [], []
        for _ in range(self.runs):  # interleaved: the machines are noisy
            theirs.append(self.sql("SET preserve_insertion_order=false", peer))
            ours.append(run_process(train))
        best, other = (min(x, key=lambda r: r["seconds"]) for x in (ours, theirs))
        ratio = other["seconds"] / best["seconds"]
        peak = max(r["peak_mb"] for r in ours)
        self.report("train, 10 M rows x 1 M labels x 5 features, Parquet to Parquet",
                    "DuckDB's ASOF join's time; under 1 GB",
                    f"{best['seconds']:.2f} s, {peak:.0f} MB; DuckDB {other['seconds']:.2f} s, "
                    f"{other['peak_mb']:.0f} MB: {ratio:.1f} times as fast",
                    ratio >= 1 and peak < 1000, "asof train --labels labels.parquet --service model -o train.parquet")

    def materialize(self):
        rates, peaks = [], []
        for _ in range(self.runs):
            repository = self.table_repository("materialize", "lmdb:.asof/online")
            result = run_process([self.asof, "-C", repository, "materialize"])
            keys = json.loads(run_process([self.asof, "-C", repository, "--json", "runs"])["text"])
            keys = (keys["runs"] if isinstance(keys, dict) else keys)[0]["rows_written"]
            rates.append(keys / result["seconds"])
            peaks.append(result["peak_mb"])
        self.report("materialize, 10 M rows to 1 M keys x 5 features, empty LMDB store",
                    "300,000 keys/s; under 2 GB", f"{max(rates):,.0f} keys/s, {max(peaks):.0f} MB",
                    max(rates) >= 300_000 and max(peaks) < 2000, "asof materialize")

    def serve(self, repository):
        port = free_port()
        server = subprocess.Popen([self.asof, "-C", repository, "serve", "--port", str(port)],
                                  stdout=subprocess.DEVNULL, stderr=open(self.out / "serve.log", "w"))
        wait_for(f"http://127.0.0.1:{port}/readyz", server)
        return server, port

    def stop(self, server):
        server.send_signal(signal.SIGTERM)
        server.wait(30)

    def closed_loop(self, port, service, entities):
        script = self.out / f"wrk_{service}_{entities}.lua"
        script.write_text(f"""local bodies = {{}}
math.randomseed(7)
for i = 1, 200 do
  local ids = {{}}
  for j = 1, {entities} do ids[j] = '{{"user_id":' .. math.random(0, 99999) .. '}}' end
  bodies[i] = '{{"entities":[' .. table.concat(ids, ',') .. ']}}'
end
local at = 0
request = function()
  at = at % 200 + 1
  return wrk.format('POST', '/v1/services/{service}/features', {{['Content-Type'] = 'application/json'}}, bodies[at])
end
done = function(summary, latency)
  io.write(string.format('RESULT %d %d %d %d\\n', summary.requests, summary.duration, latency:percentile(99),
    summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
""")
        command = ["wrk", "-t1", "-c32", f"-d{self.seconds}s", "-s", str(script), f"http://127.0.0.1:{port}/"]
        text = run_process(command)["text"]
        fields = [line for line in text.splitlines() if line.startswith("RESULT")][0].split()
        requests, duration_us, p99_us, errors = map(int, fields[1:])
        return requests / (duration_us / 1e6), p99_us / 1000, errors

    def serving(self):
        repository = self.wide_repository("serving", "lmdb:.asof/online")
        server, port = self.serve(repository)
        try:
            rate, p99, errors = self.closed_loop(port, "ten", 1)
            self.report("POST /v1/services/…/features, 1 entity x 10 features, LMDB, 32 connections",
                        "30,000 requests/s, p99 under 5 ms", f"{rate:,.0f} requests/s, p99 {p99:.2f} ms, {errors} errors",
                        rate >= 30_000 and p99 < 5 and errors == 0, "wrk -t1 -c32")
            rate, p99, errors = self.closed_loop(port, "all", 100)
            self.report("the same, 100 entities x 50 features", "1,500 requests/s",
                        f"{rate:,.0f} requests/s, p99 {p99:.2f} ms, {errors} errors", rate >= 1500 and errors == 0,
                        "wrk -t1 -c32")
        finally:
            self.stop(server)

    def open_loop(self):
        bodies = self.out / "bodies.txt"
        bodies.write_text("".join(f'{{"entities":[{{"user_id":{n * 7919 % 100_000}}}]}}\n' for n in range(1000)))
        redis = None
        places = {"lmdb": "lmdb:.asof/online", "sqlite": "sqlite:.asof/online.db", "memory": "memory:"}
        for name, wanted in (("redis", 2.0), ("sqlite", 1.0), ("lmdb", 1.0), ("memory", 1.0)):
            online = places.get(name)
            if name == "redis":
                redis_port = free_port()
                redis = subprocess.Popen(["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "",
                                          "--appendonly", "no"], stdout=subprocess.DEVNULL)
                online = f"redis://127.0.0.1:{redis_port}/0"
                time.sleep(0.5)
            server = None
            try:
                server, port = self.serve(self.wide_repository(f"open_{name}", online))
                text = run_process([self.tools / "bench_load", "--port", str(port), "--rate", "1000", "--seconds",
                                    str(self.seconds), "--connections", "8", "--target", "/v1/services/three/features",
                                    "--body", bodies])["text"]
                result = json.loads(text)
                p99 = result["p99_us"] / 1000
                self.report(f"1 entity x 3 features at 1,000 requests/s open loop, p99, {name}", f"{wanted:g} ms",
                            f"p50 {result['p50_us'] / 1000:.2f} ms, p99 {p99:.2f} ms, p99.9 "
                            f"{result['p999_us'] / 1000:.2f} ms, {result['errors']} errors",
                            p99 <= wanted and result["errors"] == 0, "bench_load --rate 1000", store=name, p99_ms=p99)
            finally:
                if server is not None:
                    self.stop(server)
                if name == "redis":
                    redis.terminate()
                    redis.wait()

    def start_up(self):
        best = min(run_process([self.asof, "version"])["seconds"] for _ in range(10))
        self.report("asof version", "under 30 ms", f"{best * 1000:.0f} ms", best < 0.03, "asof version")
        path = self.out / "plan"
        shutil.rmtree(path, ignore_errors=True)
        (path / "features").mkdir(parents=True)
        (path / "asof.yaml").write_text("project: plan\n")
        for n in range(10):
            self.sql(f"COPY (SELECT i::BIGINT AS user_id, {BASE} AS ts, i::BIGINT AS a, i::DOUBLE AS b "
                     f"FROM range(1000) t(i)) TO '{path}/s{n}.parquet' (FORMAT parquet)")
        text = "entities:\n  - {name: user, join_keys: [{name: user_id, type: int64}]}\nsources:\n"
        text += "".join(f"  - {{name: s{n}, path: s{n}.parquet, event_time: ts}}\n" for n in range(10))
        text += "views:\n" + "".join(
            f"  - {{name: v{n}, entity: user, source: s{n % 10}, features: [{{name: a{n}, type: int64, column: a}}, "
            f"{{name: b{n}, type: float64, column: b}}]}}\n" for n in range(1000))
        (path / "features" / "many.yaml").write_text(text)
        best = min(run_process([self.asof, "-C", path, "plan"])["seconds"] for _ in range(3))
        self.report("asof plan, 1,000 views over 10 source files", "under 1 s", f"{best:.2f} s", best < 1, "asof plan")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--asof", default="build/asof")
    parser.add_argument("--tools", default="build/release/bin")
    parser.add_argument("--out", default="build/bench")
    parser.add_argument("--only", default="join,materialize,serving,open_loop,start_up")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md and the README's table")
    arguments = parser.parse_args()
    if arguments.docs and arguments.only != parser.get_default("only"):
        parser.error("--docs wants the whole suite: the pages show every row")
    bench = Bench(arguments)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"{os.cpu_count()} cores, {cpu}, {platform.system()} {platform.release()}\n")
    print("| what | asked | reached | met |\n|---|---|---|---|")
    for name in arguments.only.split(","):
        getattr(bench, name)()
    report = {"machine": {"cores": os.cpu_count(), "cpu": cpu, "kernel": platform.release()}, "rows": bench.rows}
    (bench.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nThe report is {bench.out / 'report.json'}.")
    if arguments.docs:
        write_docs(report)


PAGE = """# Benchmarks

What `make bench` prints, on the machine that it names. Each line has the command behind it; the peers run in the same run, interleaved,
because machines are noisy: read the ratios, not the seconds. Wall time and peak memory are those of whole processes, start-up and
output included; the load generators share the cores with the server.

{machine}

| what | asked of this release | reached | command |
|---|---|---|---|
{rows}

- The tables: 10 M rows of five features for 1 M users in random order, ZSTD Parquet; 1 M labels. DuckDB's line is its own
  `ASOF LEFT JOIN` of the same library, Parquet to Parquet, which may break ties as it likes and knows no known times.
- Serving: 100,000 users, five views of ten features; bodies of random users. The open loop sends on a fixed timetable and counts a latency
  from the instant the request was due, so that a stalled server is charged for those that had to wait.
- To repeat: `make bench`, or one part of it with `make bench BENCH="--only join"`. This page is written by
  `make bench BENCH=--docs`.
"""


def write_between(path, begin, end, text):
    """Puts text between two markers of a page."""
    head, rest = path.read_text().split(begin)
    path.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def write_docs(report):
    """Writes docs/benchmarks.md, and the tables of the README and of docs/online-stores.md between their markers."""
    machine = report["machine"]
    rows = "\n".join(f"| {r['what']} | {r['wanted']} | {r['reached']} | `{r['command']}` |" for r in report["rows"])
    root = pathlib.Path(__file__).resolve().parents[1]
    line = f"{machine['cores']} cores of an {machine['cpu']} virtual machine, Linux {machine['kernel']}."
    (root / "docs" / "benchmarks.md").write_text(PAGE.format(machine=line, rows=rows))
    table = "| what | reached |\n|---|---|\n" + "\n".join(f"| {r['what']} | {r['reached']} |" for r in report["rows"])
    write_between(root / "README.md", "<!-- benchmarks -->", "<!-- /benchmarks -->", f"{table}\n\n{line} By `make bench`.")
    stores = "\n".join(f"| {r['store']} | {r['p99_ms']:.2f} ms |" for r in report["rows"] if "store" in r)
    write_between(root / "docs" / "online-stores.md", "<!-- bench: online-p99 begin -->", "<!-- bench: online-p99 end -->",
                  f"| store | p99 |\n|---|---|\n{stores}\n\n{line}")


if __name__ == "__main__":
    main()
