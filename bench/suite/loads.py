"""Materialization: the wall time of `asof materialize` into an empty store, and what the rows take there."""

import json
import re
import struct
import zlib
from random import Random

from suite import process
from suite.redis_floor import Connection
from suite.serving import redis_server
from suite.tables import Shape, folder_mb

SHAPE = Shape(10_000_000)
WANTED = {"lmdb": 500_000, "sqlite": 250_000, "redis": 250_000}


class Loads:
    def __init__(self, suite):
        self.suite = suite

    def run(self):
        for store, wanted in WANTED.items():
            runs = [self.load(store) for _ in range(self.suite.runs)]
            rate, peak = max(rate for rate, _ in runs), max(result.peak_mb for _, result in runs)
            cpu = min(result.cpu for _, result in runs)
            self.suite.report(f"materialize, 10 M rows to 1 M keys x 5 features, empty store, {store}",
                              f"{wanted:,} keys/s; under 1 GB", f"{rate:,.0f} keys/s, {cpu:.2f} s of CPU, {peak:.0f} MB",
                              rate >= wanted and peak < 1000, "asof materialize", part="load",
                              headline=True, store_loaded=store, keys_per_second=round(rate), cpu=round(cpu, 3))
        self.memory()

    def load(self, store):
        if store != "redis":
            return self.load_into({"lmdb": "lmdb:.asof/online", "sqlite": "sqlite:.asof/online.db"}[store])
        with redis_server(self.suite) as redis:
            return self.load_into(f"redis://127.0.0.1:{redis.port}/0")

    def load_into(self, online):
        repository = self.suite.tables.table_repository("load", SHAPE, online)
        result = process.run([self.suite.asof, "-C", repository, "materialize"])
        runs = json.loads(process.run([self.suite.asof, "-C", repository, "--json", "runs"]).text)
        newest = (runs["runs"] if isinstance(runs, dict) else runs)[0]
        return newest["rows_written"] / result.seconds, result

    def memory(self):
        """1 M keys x 50 features of 8 bytes each, as five views of ten: what the store takes for them."""
        users, views, per_view = 1_000_000, 5, 10
        raw = users * views * per_view * 8 / 1e6
        allowed = 1.3 * raw + users * views * 48 / 1e6
        repository = self.suite.tables.online_repository("memory", "lmdb:.asof/online", users, views, per_view)
        taken = folder_mb(repository / ".asof" / "online")
        self.redis_memory(users // 10, views, per_view)
        self.suite.report("online, 1 M keys x 50 features, LMDB", f"1.3 times the values' {raw:.0f} MB plus 48 bytes a row: "
                          f"{allowed:.0f} MB", f"{taken:.0f} MB", taken <= allowed, "asof materialize", part="load")

    def redis_memory(self, users, views, per_view):
        """The same of a tenth of the keys in Redis, and in Feast's layout: a hash a key, with a field of four bytes and a message of
        about ten for each feature, and a time for each view."""
        with redis_server(self.suite) as redis, Connection(redis.port) as connection:
            empty = used_memory(connection)
            self.suite.tables.online_repository("memory_redis", f"redis://127.0.0.1:{redis.port}/0", users, views, per_view)
            ours = used_memory(connection) - empty
            connection.ask(["FLUSHDB"])
            random = Random(1)
            for first in range(0, users, 500):
                connection.ask(*(feast_hash(user, views, per_view, random) for user in range(first, first + 500)))
            feast = used_memory(connection) - empty
        self.suite.report(f"online, {users // 1000}k keys x {views * per_view} features, Redis", "beside Feast's layout",
                          f"{ours / 1e6:.0f} MB; in Feast's layout {feast / 1e6:.0f} MB: {feast / ours:.1f} times as much",
                          None, "INFO memory", part="load")


def used_memory(connection):
    [info] = connection.ask(["INFO", "memory"])
    return int(re.search(rb"used_memory:(\d+)", info).group(1))


def feast_hash(user, views, per_view, random):
    words = ["HSET", struct.pack("<II", 1, 2) + b"user_id" + struct.pack("<IIq", 4, 8, user) + b"bench"]
    for view in range(views):
        for feature in range(per_view):
            # ValueProto: int64 as a varint, a double in eight bytes.
            value = b"\x20" + varint(random.randrange(1_000_000)) if feature % 2 == 0 else b"\x29" + struct.pack("<d", random.random())
            words += [struct.pack("<I", zlib.crc32(b"%d:%d" % (view, feature))), value]
        words += [b"_ts:stats%d" % view, b"\x08" + varint(1_767_225_600)]
    return words


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])
