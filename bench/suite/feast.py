"""Feast in the same run, where it is installed: serving from Redis, materialization and training sets. Its rates are what the lines
of serving are then measured against."""

import json
import shutil

from suite import process
from suite.joins import TRAIN
from suite.serving import SHAPES, Serving, redis_server
from suite.tables import Shape

# Of 10,000 users in place of 100,000, as Feast takes a minute for each million rows; a look-up in Redis costs the same.
SERVED_USERS = 10_000
LOADED_USERS = 100_000
WORKERS = (1, 2)
JOIN_LIMIT = process.Limit(60)


def loads_of(features):
    """Connections and seconds of the cells: the more it takes Feast to answer, the fewer and the longer."""
    return ((8, 5), (32, 5)) if features < 100 else ((4, 8), (8, 8))


class Feast(Serving):
    def run(self):
        peers = self.suite.peers
        if not peers.has("feast"):
            print("(feast is not installed, `make bench-peers` installs it: its recorded rates stand in)")
            return
        script, tables = peers.script("feast_peer"), self.suite.tables
        self.command = [peers.python_of("feast"), script]
        served, loaded = tables.online(SERVED_USERS, 20, 10), tables.online(LOADED_USERS, 1, 10)
        repository = self.suite.out / "repositories" / "feast"
        shutil.rmtree(repository, ignore_errors=True)
        with redis_server(self.suite) as redis:
            process.run([*self.command, "apply", repository, redis.port, served, loaded])
            self.materialize(repository)
            process.run([*self.command, "materialize", repository, ",".join(f"v{n}" for n in range(20))])
            self.serve_all(repository)
        self.join("train, 1 M rows x 100 k labels", Shape(1_000_000))
        self.join("train, long histories, 1 M rows x 100 k labels, 1,000 rows a key", Shape(1_000_000, users=1_000))

    def materialize(self, repository):
        theirs = process.run([*self.command, "materialize", repository, "loaded"])
        with redis_server(self.suite) as redis:
            path = self.suite.tables.online_repository("beside_feast", f"redis://127.0.0.1:{redis.port}/0", LOADED_USERS, views=1,
                                                       materialize=False)
            ours = process.run([self.suite.asof, "-C", path, "materialize"])
        call = call_seconds(theirs)
        self.suite.report(f"materialize, {LOADED_USERS // 1000} k keys x 10 features, empty Redis, beside Feast", "",
                          f"{LOADED_USERS / ours.seconds:,.0f} keys/s: {ours.told()}; Feast {LOADED_USERS / call:,.0f} keys/s in its "
                          f"call alone: {theirs.told()}: {compared(ours, theirs)}", None,
                          "asof materialize; feast materialize", part="feast",
                          measured_processes={"asof": process.vars_of(ours), "feast": process.vars_of(theirs)})

    def serve_all(self, repository):
        cells = []
        for workers in WORKERS:
            with self.feast_server(repository, workers) as server:
                for entities, features in SHAPES:
                    names = [f"v{n // 10}:c{n}" for n in range(features)]
                    bodies = self.bodies(f"{entities}x{features}_served", entities, "feast", names, users=SERVED_USERS)
                    self.closed_loop(server, "/get-online-features", bodies, 2, connections=8)  # warm-up
                    for connections, seconds in loads_of(features):
                        loop = self.closed_loop(server, "/get-online-features", bodies, seconds, connections=connections)
                        cells.append({"shape": f"{entities}x{features}", "workers": workers, "connections": connections, **loop})
        best = {}
        for entities, features in SHAPES:
            shape = f"{entities}x{features}"
            cell = max((cell for cell in cells if cell["shape"] == shape and not cell["errors"]), key=lambda cell: cell["rate"])
            best[shape] = cell["rate"]
            self.suite.report(f"Feast, serve, {entities} x {features}, Redis", "",
                              f"{cell['rate']:,.1f} requests/s, p99 {cell['p99_ms']:,.0f} ms, {cell['cpu_us'] / 1000:,.1f} ms of CPU, with "
                              f"{cell['workers']} worker{'s' if cell['workers'] > 1 else ''} and {cell['connections']} connections, the "
                              f"best of {len(WORKERS) * len(loads_of(features))} cells", None,
                              "feast serve --workers 1|2 --no-access-log --max-requests 0; wrk -t1 -c4|8|32", part="feast",
                              cells=[each for each in cells if each["shape"] == shape])
        self.suite.peers.set_feast_rates(best)

    def feast_server(self, repository, workers):
        port = process.free_port()
        return process.Server([self.suite.peers.python_of("feast").parent / "feast", "-c", repository, "serve", "--port", port,
                               "--workers", workers, "--no-access-log", "--max-requests", 0], port,
                              process.answers_http("/health"), self.suite.out / "feast.log")

    def join(self, what, shape):
        features, labels = self.suite.tables.features(shape), self.suite.tables.labels(100_000, shape.users)
        repository = self.suite.tables.table_repository("join", shape)
        ours = process.best([process.run([self.suite.asof, "-C", repository, "train", "--labels", labels, "--service", "model",
                                          "-o", self.suite.out / "asof.parquet"]) for _ in range(self.suite.runs)])
        theirs = process.run([*self.command, "join", features, labels, self.suite.out / "feast.parquet"], limit=JOIN_LIMIT)
        if theirs.is_over:
            told = f"over {JOIN_LIMIT}, {theirs.cpu:.0f} s of CPU and {theirs.peak_mb:,.0f} MB by then"
        else:
            told = f"{theirs.told()}, {call_seconds(theirs):.1f} s in its call alone: {compared(ours, theirs)}"
        self.suite.report(f"{what}, beside Feast on DuckDB", "",
                          f"{ours.told()}; Feast {told}", None, f"{TRAIN}; feast get_historical_features", part="feast",
                          measured_processes={"asof": process.vars_of(ours), "feast": process.vars_of(theirs)})


def compared(ours, theirs):
    """Processes against processes; their CPU is the steadier measure on a machine that others use, too."""
    return f"{theirs.seconds / ours.seconds:.0f} times as fast, {theirs.cpu / ours.cpu:.0f} times less CPU"


def call_seconds(result):
    return float(result.text.split("CALL ")[1].split()[0])
