"""Online reads over HTTP: closed loops by wrk, open loops by bench_load (a latency counts from the instant a request was due), beside
the leanest echo server and, where it is installed, Feast. Load generator and server share the machine."""

import json
import os
import shutil
from statistics import median

from suite import process
from suite.redis_floor import RedisFloor
from suite.tables import folder_mb

# Entities and features of a request, answered with statuses.
SHAPES = ((1, 50), (10, 50), (100, 50), (50, 200), (100, 200))
WRK = "wrk -t1 -c32"
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


def redis_server(suite):
    port = process.free_port()
    return process.Server(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                          port, process.accepts, suite.out / "redis.log")


class Serving:
    def __init__(self, suite):
        self.suite = suite

    # --- servers and loads ----------------------------------------------------------------------------------------

    # Put before the commands of the server and of bench_load.
    server_prefix = load_prefix = ()

    def serve(self, repository, *options, log="serve.log"):
        port = process.free_port()
        return process.Server([*self.server_prefix, self.suite.asof, "-C", repository, "serve", "--port", port, *options], port,
                              process.answers_http("/readyz"), self.suite.out / log)

    def echo(self):
        port = process.free_port()
        return process.Server([self.suite.tools / "bench_echo", "--port", port], port, process.accepts,
                              self.suite.out / "echo.log")

    def bodies(self, name, entities, form="", features=(), users=100_000):
        """A wrk script and a file of bodies: 200 of them, each of random users."""
        head = f'"features":{json.dumps(list(features))},' if form == "feast" else ""
        entity = (lambda ids: '"entities":{"user_id":[' + ",".join(ids) + "]}") if form == "feast" else (
            lambda ids: '"entities":[' + ",".join(f'{{"user_id":{i}}}' for i in ids) + "]")
        lines, seed = [], 7
        for _ in range(200):
            ids = []
            for _ in range(entities):
                seed = (seed * 1103515245 + 12345) % 2**31
                ids.append(str(seed % users))
            lines.append("{" + head + entity(ids) + "}")
        path = self.suite.out / f"bodies_{name}.txt"
        path.write_text("\n".join(lines) + "\n")
        return path

    def closed_loop(self, server, target, bodies, seconds=None, connections=32, accept=JSON):
        """Requests a second, p99 in ms, errors, and the server's CPU in microseconds a request."""
        script = bodies.with_suffix(".lua")
        script.write_text(f"""local bodies, at = {{}}, 0
for line in io.lines('{bodies}') do bodies[#bodies + 1] = line end
request = function()
  at = at % #bodies + 1
  return wrk.format('POST', '{target}', {{['Content-Type'] = '{JSON}', ['Accept'] = '{accept}'}}, bodies[at])
end
done = function(summary, latency)
  io.write(string.format('RESULT %d %d %d %d %d\\n', summary.requests, summary.duration, latency:percentile(99), summary.bytes,
    summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
""")
        before = server.cpu()
        text = process.run(["wrk", "-t1", f"-c{connections}", "--timeout", "30s", f"-d{seconds or self.suite.seconds}s", "-s", script,
                            f"http://127.0.0.1:{server.port}/"]).text
        fields = [line for line in text.splitlines() if line.startswith("RESULT")][0].split()
        requests, duration_us, p99_us, _, errors = map(int, fields[1:])
        return {"rate": requests / (duration_us / 1e6), "p99_ms": p99_us / 1000, "errors": errors,
                "cpu_us": (server.cpu() - before) / max(requests, 1) * 1e6}

    def open_loop(self, server, target, bodies, rate, connections=8, seconds=None, **more):
        """`more`: further options of bench_load, as `interval=1`."""
        options = [word for name, value in more.items() for word in (f"--{name}", value)]
        text = process.run([*self.load_prefix, self.suite.tools / "bench_load", "--port", server.port, "--rate", f"{rate:.0f}", "--seconds",
                            seconds or self.suite.seconds, "--connections", connections, "--target", target,
                            "--body", bodies, *options]).text
        return json.loads(text)

    # --- rows of the report ---------------------------------------------------------------------------------------

    def run(self):
        repository = self.suite.tables.online_repository("serving", "lmdb:.asof/online")
        with self.serve(repository) as server, self.echo() as echo:
            self.one_by_ten(server, echo)
            self.tail(server, echo)
            lmdb = {shape: self.shape(server, *shape) for shape in SHAPES}
            self.values(server)
        self.against_feast("LMDB", lmdb)
        with redis_server(self.suite) as redis:
            on_redis = self.suite.tables.online_repository("serving_redis", f"redis://127.0.0.1:{redis.port}/0")
            with self.serve(on_redis) as server:
                measured = {shape: self.shape(server, *shape) for shape in SHAPES}
            floor = RedisFloor(self.suite, redis.port)
            self.against_feast("Redis", measured, floor)
            self.per_store(f"redis://127.0.0.1:{redis.port}/1")

    def one_by_ten(self, server, echo):
        bodies = self.bodies("1x10", 1)
        rounds = [(self.closed_loop(server, "/v1/services/f10/features", bodies), self.closed_loop(echo, "/", bodies))
                  for _ in range(max(5, self.suite.runs))]
        ours = max((pair[0] for pair in rounds), key=lambda loop: loop["rate"])
        floor = max((pair[1] for pair in rounds), key=lambda loop: loop["rate"])
        share = ours["rate"] / floor["rate"]
        self.suite.report("serve, 1 entity x 10 features, LMDB, 32 connections",
                          "30,000 requests/s, p99 under 5 ms; 80 % of the echo server's rate; 12 us of CPU",
                          f"{ours['rate']:,.0f} requests/s, p99 {ours['p99_ms']:.2f} ms, {ours['cpu_us']:.1f} us of CPU; echo "
                          f"{floor['rate']:,.0f}, {floor['cpu_us']:.1f} us: {share:.0%}; {ours['errors']} errors",
                          share >= 0.8 and ours["cpu_us"] <= 12 and ours["p99_ms"] < 5 and ours["errors"] == 0,
                          WRK, part="serve", headline=True)

    def tail(self, server, echo):
        """p99.9 at half of what the server can do, against the echo server's at the same rate: medians of pairs, as one stall of the
        machine is a whole p99.9."""
        bodies = self.bodies("1x10", 1)
        rate = self.closed_loop(server, "/v1/services/f10/features", bodies)["rate"] / 2
        # The generator is one thread: beyond what it can send, it would measure itself.
        rate = min(rate, 20_000)
        pairs = [(self.open_loop(server, "/v1/services/f10/features", bodies, rate, 32), self.open_loop(echo, "/", bodies, rate, 32))
                 for _ in range(max(5, self.suite.runs))]
        ours, floor = (median(pair[side]["p999_us"] for pair in pairs) / 1000 for side in (0, 1))
        errors = sum(pair[0]["errors"] for pair in pairs)
        self.suite.report(f"p99.9 at {rate:,.0f} requests/s (half load), open loop", "2 times the echo server's",
                          f"{ours:.2f} ms; echo {floor:.2f} ms (medians of {len(pairs)}); {errors} errors",
                          ours <= 2 * floor and errors == 0, "bench_load", part="serve")
        self.suite.curves["asof"] = self.curve(server, "/v1/services/f10/features", bodies)
        self.suite.curves["echo"] = self.curve(echo, "/", bodies)

    def curve(self, server, target, bodies):
        """Latency percentiles against load."""
        return [{"rate": rate, **self.open_loop(server, target, bodies, rate, 32, min(5, self.suite.seconds))}
                for rate in (1_000, 5_000, 10_000, 20_000)]

    def shape(self, server, entities, features):
        bodies = self.bodies(f"{entities}x{features}", entities)
        return self.closed_loop(server, f"/v1/services/f{features}/features?status=true", bodies)

    def against_feast(self, store, measured, floor=None):
        least = {"LMDB": 50, "Redis": 30}[store]
        feast = self.suite.peers.feast_rates()
        for (entities, features), ours in measured.items():
            wanted = 100 if store == "LMDB" and entities >= 50 else least
            peer = feast["rates"][f"{entities}x{features}"]
            share = floor and floor.share(entities, features, ours["rate"])
            of_redis = f"; {share:.0%} of the HMGETs of Redis itself in pipelines" if floor else ""
            self.suite.report(f"serve, {entities} x {features} with statuses, {store}",
                              f"{wanted} times Feast's best ({peer:.4g} requests/s, {feast['source']})",
                              f"{ours['rate']:,.0f} requests/s, p99 {ours['p99_ms']:.2f} ms, {ours['cpu_us']:,.0f} us of CPU: "
                              f"{ours['rate'] / peer:.0f} times{of_redis}; {ours['errors']} errors",
                              ours["rate"] >= wanted * peer and ours["errors"] == 0,
                              WRK, part="serve")

    def values(self, server):
        """100 x 200: values a second in Feast's form, and in ours without statuses."""
        lean = self.closed_loop(server, "/v1/services/f200/features", self.bodies("100x200", 100))
        names = [f"v{view}:c{view * 10 + n}" for view in range(20) for n in range(10)]
        feast = self.closed_loop(server, "/get-online-features", self.bodies("100x200_feast", 100, "feast", names))
        arrow = self.closed_loop(server, "/v1/services/f200/features", self.bodies("100x200_arrow", 100), accept=ARROW)
        rates = {name: loop["rate"] * 20_000 / 1e6 for name, loop in (("lean", lean), ("feast", feast), ("arrow", arrow))}
        errors = sum(loop["errors"] for loop in (lean, feast, arrow))
        self.suite.report("serve, 100 x 200, values a second, LMDB", "15 million in Feast's form, 35 million in ours without statuses",
                          f"{rates['feast']:.1f} million in Feast's form, {rates['lean']:.1f} million in ours, {rates['arrow']:.1f} "
                          f"million as Arrow; {errors} errors",
                          rates["feast"] >= 15 and rates["lean"] >= 35 and errors == 0,
                          WRK, part="serve", headline=True)

    def per_store(self, redis):
        bodies = self.bodies("1x3", 1)
        for store, online, wanted in (("redis", redis, 2.0), ("sqlite", "sqlite:.asof/online.db", 1.0),
                                      ("lmdb", "lmdb:.asof/online", 1.0), ("memory", "memory:", 1.0)):
            with self.serve(self.suite.tables.online_repository(f"open_{store}", online, views=1)) as server:
                result = self.open_loop(server, "/v1/services/three/features", bodies, 1000)
            p99 = result["p99_us"] / 1000
            self.suite.report(f"1 entity x 3 features at 1,000 requests/s open loop, p99, {store}", f"{wanted:g} ms",
                              f"p50 {result['p50_us'] / 1000:.2f} ms, p99 {p99:.2f} ms, p99.9 {result['p999_us'] / 1000:.2f} ms, "
                              f"{result['errors']} errors", p99 <= wanted and result["errors"] == 0,
                              "bench_load --rate 1000", part="serve", headline=True, store=store, p99_ms=p99)


class LargeStore(Serving):
    """A server's first answer over a store of 10 GB, with the store in the page cache and without it. It takes minutes to fill, is
    filled by `asof materialize` like any other, and goes afterwards."""

    USERS = 2_500_000  # of twenty rows of ten features each: 50 M rows

    def run(self):
        repository = self.suite.tables.online_repository("large", "lmdb:.asof/online", self.USERS, 20, 10)
        try:
            self.measure(repository)
        finally:
            shutil.rmtree(repository)

    def measure(self, repository):
        store = repository / ".asof" / "online"
        runs = max(5, self.suite.runs)
        warm = [self.first_answer(repository) for _ in range(runs)]
        cold = []
        for _ in range(runs):
            forget(store)
            cold.append(self.first_answer(repository))
        size = folder_mb(store) / 1000
        self.suite.report("serve, start to first answer, a store of 10 GB", "200 ms",
                          f"{median(warm) * 1000:.0f} ms, {median(cold) * 1000:.0f} ms where nothing of it is in the page cache (medians "
                          f"of {runs}; slowest {max(warm + cold) * 1000:.0f} ms) over {size:.1f} GB",
                          max(median(warm), median(cold)) < 0.2 and size >= 10, "asof serve", part="large", headline=True,
                          warm=warm, cold=cold)

    def first_answer(self, repository):
        port = process.free_port()
        with process.Server([self.suite.asof, "-C", repository, "serve", "--port", port], port,
                            process.answers_http("/v1/services/f200/features?user_id=1234567"), self.suite.out / "serve.log") as server:
            return server.seconds_to_ready


def forget(folder):
    """Has the system write a folder's files out and drop them from its page cache."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
