"""What Redis itself gives: redis-benchmark reads the very hashes that a server of features reads, without HTTP, JSON or features."""

import socket

from suite import process

KEYS = 10_000  # of the hashes, copied under names that redis-benchmark can make


class Connection:
    """As much of Redis' protocol as copying hashes takes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.replies = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.replies.close()
        self.socket.close()

    def ask(self, *commands):
        """Sends commands, each a list of words, in one go, and returns their replies."""
        text = b""
        for words in commands:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            text += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        self.socket.sendall(text)
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.replies.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return self.replies.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest


def copy_hashes(port):
    """Copies the first KEYS hashes of database 0 to floor:000000000000 … and returns the names of their fields."""
    with Connection(port) as redis:
        cursor, keys = b"0", []
        while len(keys) < KEYS:
            [[cursor, found]] = redis.ask(["SCAN", cursor, "COUNT", 1000, "TYPE", "hash"])
            keys += [key for key in found if b"#asof" not in key]
            if cursor == b"0":
                break
        redis.ask(*(["COPY", key, f"floor:{n:012}"] for n, key in enumerate(keys[:KEYS])))
        [fields] = redis.ask(["HKEYS", "floor:000000000000"])
        return sorted(fields)


class RedisFloor:
    """HMGETs a second of the rows of so many features (ten a view), by `pipelined`."""

    def __init__(self, suite, port):
        self.suite = suite
        self.port = port
        self.fields = copy_hashes(port)
        self.rates = {(features, pipelined): self.measure(features, pipelined)
                      for features in (50, 200) for pipelined in (False, True)}
        for features in (50, 200):
            plain, pipelined = self.rates[features, False], self.rates[features, True]
            suite.report(f"Redis itself, the same {features // 10} fields of a hash ({features} features)", "",
                         f"{plain:,.0f} HMGETs/s on 32 connections, {plain * features / 1e6:.1f} million values/s; {pipelined:,.0f} in "
                         f"pipelines of 10, {pipelined * features / 1e6:.1f} million values/s", None,
                         "redis-benchmark -c 32 [-P 10] HMGET", part="serve")

    def measure(self, features, pipelined):
        requests = 5_000_000 // features * (3 if pipelined else 1)
        pipeline = ["-P", 10] if pipelined else []
        text = process.run(["redis-benchmark", "-p", self.port, "-c", 32, "-n", requests, "-r", KEYS, *pipeline, "--csv", "HMGET",
                            "floor:__rand_int__", *(field.decode() for field in self.fields[:features // 10])]).text
        return float(text.strip().splitlines()[-1].split(",")[1].strip('"'))

    def share(self, entities, features, requests_per_second):
        """Of the pipelined rate, which no client of this Redis on this machine will pass by much."""
        return requests_per_second * entities / self.rates[features, True]
