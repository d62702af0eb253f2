"""Point-in-time joins: `asof train` beside DuckDB's ASOF join, Polars and pandas, Parquet to Parquet, whole processes, all results under
one codec (raw LZ4, what `asof train` writes); and beside a bare scan of the same columns by DuckDB."""

import os

from suite import process
from suite.tables import FEATURES, KEYS, Shape

RANDOM_1M = Shape(1_000_000)
RANDOM_10M = Shape(10_000_000)
RANDOM_100M = Shape(100_000_000)


TRAIN = "asof train --labels labels.parquet --service model -o train.parquet"


class Joins:
    def __init__(self, suite):
        self.suite = suite
        self.tables = suite.tables

    # --- contenders: functions of no argument that return a process.Result ----------------------------------------

    def asof(self, repository, labels):
        return lambda: process.run([self.suite.asof, "-C", repository, "train", "--labels", labels, "--service", "model",
                                    "-o", self.suite.out / "asof.parquet"])

    def asof_of(self, shape, labels):
        return self.asof(self.tables.table_repository(f"join_{shape.name}", shape), labels)

    def duckdb(self, shape, labels):
        keys = " AND ".join(f"l.{name} = s.{name}" for name, _, _ in KEYS[shape.key])
        return self.duckdb_join([(self.tables.features(shape), FEATURES)], labels, keys)

    def duckdb_join(self, files, labels, keys="l.user_id = s.user_id"):
        joined = f"SELECT * FROM '{labels}'"
        for path, columns in files:
            names = ", ".join(f"s.{column}" for column in columns)
            joined = f"SELECT l.*, {names} FROM ({joined}) l ASOF LEFT JOIN '{path}' s ON {keys} " \
                     "AND l.event_timestamp >= s.event_timestamp"
        return lambda: self.tables.sql("SET preserve_insertion_order=false",
                                       f"COPY ({joined}) TO '{self.suite.out / 'duckdb.parquet'}' (FORMAT parquet, COMPRESSION lz4_raw)")

    def scan(self, shape):
        keys = ", ".join(f"max({name})" for name, _, _ in KEYS[shape.key])
        sums = ", ".join(f"sum({feature})" for feature in FEATURES)
        # max() of the bare column is answered from the file's statistics; this is not.
        return lambda: self.tables.sql(f"SELECT {keys}, max(event_timestamp + INTERVAL 1 microsecond), {sums} "
                                       f"FROM '{self.tables.features(shape)}' WHERE f1 >= 0")

    def script(self, name, shape, labels, limit):
        keys = ",".join(key for key, _, _ in KEYS[shape.key])
        python = self.suite.peers.python_of(name)
        return lambda: process.run([python, self.suite.peers.script(f"{name}_join"), self.tables.features(shape), labels, keys,
                                    self.suite.out / f"{name}.parquet"], limit=limit)

    # --- rows of the report ---------------------------------------------------------------------------------------

    def compare(self, what, wanted, met, shape, labels_rows, peers=("duckdb",), limit=None):
        """One row; `met` decides from (ratio to DuckDB, ratio to the scan, peak MB)."""
        labels = self.tables.labels(labels_rows, shape.users, shape.key)
        contenders = {"asof": self.asof_of(shape, labels), "scan": self.scan(shape)}
        for peer in peers:
            contenders[peer] = self.duckdb(shape, labels) if peer == "duckdb" else self.script(peer, shape, labels, limit)
        measured = {name: process.best(results)
                    for name, results in process.interleave(contenders, self.suite.runs).items()}
        ours, scan = measured["asof"], measured["scan"]
        text = f"{ours.told()}; scan {scan.seconds:.2f} s ({ours.seconds / scan.seconds:.1f} times)"
        for name in peers:
            text += f"; {self.suite.peers.title(name)} {self.beside(measured[name], ours, limit)}"
        ratio = measured["duckdb"].seconds / ours.seconds if "duckdb" in measured else None
        self.suite.report(what, wanted, text, met(ratio, ours.seconds / scan.seconds, ours.peak_mb), TRAIN, part="join",
                          headline=True, rows=shape.rows, labels=labels_rows, shape=shape.name,
                          measured={name: process.vars_of(result) for name, result in measured.items()})

    @staticmethod
    def beside(peer, ours, limit):
        if peer.is_over:
            return f"over {limit}, {peer.cpu:.0f} s of CPU by then"
        return f"{peer.told()}: {peer.seconds / ours.seconds:.1f} times as fast"

    def peers(self):
        return ["duckdb"] + [name for name in ("polars", "pandas") if self.suite.peers.has(name)]

    def run(self):
        peers = self.peers()
        self.compare("train, 1 M rows x 1 M labels x 5 features (ZSTD, random order)", "",
                     lambda ratio, scan, peak: None, RANDOM_1M, 1_000_000, peers)
        self.compare("train, 10 M rows x 1 M labels x 5 features (ZSTD, random order)",
                     "3 times DuckDB's ASOF join; under 500 MB",
                     lambda ratio, _, peak: ratio >= 3 and peak < 500, RANDOM_10M, 1_000_000, peers)
        self.keys()
        self.histories()
        self.wide()

    def together(self, *shapes):
        """asof alone over several tables, by turns: the best of each."""
        contenders = {shape: self.asof_of(shape, self.tables.labels(1_000_000, shape.users, shape.key)) for shape in shapes}
        return [process.best(results) for results in process.interleave(contenders, self.suite.runs).values()]

    def beside_base(self, base, wanted, most, others):
        """A row for each of `others`, {what: shape}: it may take `most` times the time of `base`."""
        ours, *results = self.together(base, *others.values())
        for what, result in zip(others, results):
            self.suite.report(what, wanted, f"{result.told()}: {result.seconds / ours.seconds:.2f} times {ours.seconds:.2f} s",
                              result.seconds <= most * ours.seconds, TRAIN, part="join")

    def keys(self):
        self.beside_base(RANDOM_10M, "1.6 times the int64 time", 1.6,
                         {f"10 M rows, {key} keys": Shape(10_000_000, key=key) for key in ("string", "composite")})

    def variants(self):
        self.beside_base(RANDOM_100M, "1.4 times the time of 100 M rows as above", 1.4,
                         {"100 M rows, known_time declared": Shape(100_000_000, known=True),
                          "100 M rows, ascending time order": Shape(100_000_000, order="ascending"),
                          "100 M rows, SNAPPY": Shape(100_000_000, codec="snappy")})

    def growth(self):
        ten, hundred, three = self.together(RANDOM_10M, RANDOM_100M, Shape(300_000_000))
        self.suite.report("10 M to 100 M to 300 M rows", "time linear within 15 %, memory flat within 10 %",
                          f"{ten.seconds:.2f}, {hundred.seconds:.2f}, {three.seconds:.2f} s; "
                          f"{ten.peak_mb:.0f}, {hundred.peak_mb:.0f}, {three.peak_mb:.0f} MB",
                          self.is_linear(ten, hundred, three), TRAIN, part="join",
                          rows=300_000_000, measured={"asof": process.vars_of(three)})

    @staticmethod
    def is_linear(ten, hundred, three):
        # A line through the first two says where the third is to lie: start-up and output do not grow.
        slope = (hundred.seconds - ten.seconds) / 90
        expected = hundred.seconds + 200 * slope
        peaks = [result.peak_mb for result in (ten, hundred, three)]
        return abs(three.seconds - expected) <= 0.15 * expected and max(peaks) <= 1.1 * min(peaks)

    def histories(self):
        shape = Shape(1_000_000, users=1_000)
        start = process.best([self.tables.sql("SELECT 1") for _ in range(3)]).seconds
        labels = self.tables.labels(100_000, shape.users)
        measured = {name: process.best(results) for name, results in process.interleave(
            {"asof": self.asof_of(shape, labels), "duckdb": self.duckdb(shape, labels)}, self.suite.runs).items()}
        ours, peer = measured["asof"], measured["duckdb"]
        ratio = (peer.seconds - start) / ours.seconds
        self.suite.report("long histories, 1 M rows x 100 k labels, 1,000 rows a key",
                          "2 times DuckDB's ASOF join (its start-up subtracted); under 500 MB",
                          f"{ours.told()}; DuckDB {peer.told()}, start-up {start:.2f} s: {ratio:.1f} times as fast",
                          ratio >= 2 and ours.peak_mb < 500, TRAIN, part="join")

    def wide(self):
        labels = self.tables.labels(17_000, 20_000)
        for views, columns in ((1, 1000), (10, 100)):
            files = [(path, [f"w{n}" for n in range(view * columns, (view + 1) * columns)])
                     for view, path in enumerate(self.tables.wide(views, columns))]
            repository = self.tables.wide_repository(views, columns)
            measured = {name: process.best(results) for name, results in process.interleave(
                {"asof": self.asof(repository, labels), "duckdb": self.duckdb_join(files, labels)}, self.suite.runs).items()}
            ours, peer = measured["asof"], measured["duckdb"]
            ratio = peer.seconds / ours.seconds
            self.suite.report(f"17,000 labels x 1,000 columns in {views} view{'s' if views > 1 else ''}",
                              "2.3 times DuckDB's ASOF join; under 1 GB",
                              f"{ours.told()}; DuckDB {peer.told()}: {ratio:.1f} times as fast",
                              ratio >= 2.3 and ours.peak_mb < 1000, TRAIN, part="join")


class Scale(Joins):
    """The same at 100 M and 300 M rows: half an hour and 30 GB of disk the first time."""

    def run(self):
        # Peers that hold the rows in memory may not fit here, and must not take the machine with them.
        limit = process.Limit(300, 0.75 * memory_mb())
        self.compare("train, 100 M rows x 1 M labels x 5 features (ZSTD, random order)",
                     "6 times DuckDB's ASOF join; 1.5 times a scan; under 500 MB",
                     lambda ratio, scan, peak: ratio >= 6 and scan <= 1.5 and peak < 500, RANDOM_100M, 1_000_000, self.peers(), limit=limit)
        self.variants()
        self.growth()


def memory_mb():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
