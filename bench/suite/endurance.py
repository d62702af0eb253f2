"""A server under load for minutes: at 80 % of what it can take, at twice that, and at half of it afterwards. Latency and memory are
sampled throughout, because what leaks or queues shows only with time. The server has one core and the generator another, so that the
load takes nothing from what is loaded."""

import math
import pathlib
import statistics
import threading
from dataclasses import dataclass

from suite.serving import Serving

CONNECTIONS = 900  # enough that no request of the overload waits for one
QUEUE_MS = 50  # the server's default bound of a request's wait


class MemorySamples:
    """The server's anonymous memory, once a second: without the pages of LMDB's map, which are the kernel's cache."""

    def __init__(self, server):
        self.path = pathlib.Path(f"/proc/{server.process.pid}/status")
        self.mb = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        while True:
            line = next(line for line in self.path.read_text().splitlines() if line.startswith("RssAnon:"))
            self.mb.append(int(line.split()[1]) / 1024)
            if self.ended.wait(1):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def growth(self):
        """From the most of the first quarter to the most of the last, in MB."""
        quarter = max(1, len(self.mb) // 4)
        return max(self.mb[-quarter:]) - max(self.mb[:quarter])


class Latency:
    """The p50 and the p99 of a second in ms: the medians over some seconds. A second without an answer is an endless one."""

    def __init__(self, seconds):
        seconds = list(seconds)
        self.p50, self.p99 = (statistics.median(second[name] if second["answered"] else math.inf for second in seconds) / 1000
                              for name in ("p50_us", "p99_us"))

    def is_flat_after(self, other):
        # Two halves of one quiet run differ by a third in their p99.
        return self.p50 <= 1.25 * other.p50 and self.p99 <= 1.5 * other.p99

    def __str__(self):
        return f"{self.p50:.2f} and {self.p99:.2f} ms"


@dataclass
class Turn:
    """What a server did within some seconds: one at capacity, and those at 80 % of it that followed."""

    capacity: float  # requests/s
    seconds: list  # of what bench_load tells of each
    failed: int  # errors and refusals


@dataclass
class Steady:
    """Turns of a server in order; turns of servers just started, at even distances through them; and after each of those the capacities
    of both, [(aged, fresh), …], a second each and by turns. From all of them: whether the server stayed what it was."""

    aged: list
    fresh: list
    pairs: list
    failed: int  # in the seconds of the pairs

    @staticmethod
    def first_quarter(parts):
        return parts[:math.ceil(len(parts) / 4)]

    @staticmethod
    def last_quarter(parts):
        return parts[-math.ceil(len(parts) / 4):]

    @staticmethod
    def latency(turns):
        return Latency(second for turn in turns for second in turn.seconds)

    @staticmethod
    def capacity(turns):
        return statistics.median(turn.capacity for turn in turns)

    def kept(self):
        """What share of a new server's capacity the server still has at the end."""
        return statistics.median(aged / max(fresh, 1) for part in self.last_quarter(self.pairs) for aged, fresh in part)

    def failures(self):
        return self.failed + sum(turn.failed for turn in self.aged + self.fresh)

    def is_flat(self):
        last = self.latency(self.last_quarter(self.aged))
        return (last.is_flat_after(self.latency(self.first_quarter(self.aged)))
                and last.is_flat_after(self.latency(self.last_quarter(self.fresh))) and self.kept() >= 0.9 and self.failures() == 0)

    def __str__(self):
        first, last, fresh = self.first_quarter(self.aged), self.last_quarter(self.aged), self.last_quarter(self.fresh)
        worst = max((second["p99_us"] if second["answered"] else math.inf) for turn in self.aged for second in turn.seconds)
        return (f"a second's p50 and p99, medians: {self.latency(first)} in the first quarter, {self.latency(last)} in the last, "
                f"{self.latency(fresh)} of servers just started by then; the worst second's p99 {worst / 1000:.1f} ms; capacity "
                f"{self.capacity(first):,.0f} requests/s in the first quarter, {self.capacity(last):,.0f} in the last: "
                f"{self.kept():.2f} times that of servers just started, measured by turns; {self.failures()} errors and refusals")


class Endurance(Serving):
    server_prefix, load_prefix = ("taskset", "-c", "0"), ("taskset", "-c", "1")

    def run(self):
        repository = self.suite.tables.online_repository("serving", "lmdb:.asof/online")
        seconds = self.suite.endurance_seconds
        with self.serve(repository, "--threads", 1) as server:
            self.steady(server, repository, seconds)
            self.overload(server, max(5, seconds // 10))

    def at_capacity(self, server, target, bodies, connections, seconds=1):
        """Requests answered a second where every connection is always busy, and the errors and refusals."""
        result = self.open_loop(server, target, bodies, 0, connections, seconds)
        failed = result["errors"] + result["refused"]
        return (result["requests"] - failed) / seconds, failed

    def steady(self, server, repository, seconds):
        """80 % of capacity: nothing may grow, and none be lost. With 10 x 50, because with 1 x 10 the generator's core is as busy as the
        server's, and it would measure itself.

        The machine's own speed changes from minute to minute by more than the fifth that 80 % leaves, and a rate set once is too much
        for it some minutes later. So a second at capacity goes before every ten at 80 % of it. What the machine takes from a server it
        takes from a new one, too: after every minute a server just started does the same, and then both show their capacity by turns. A
        latency is that of a second, and the median of many, because a stall of the machine is a whole p99 of its second, but not of the
        others."""
        bodies, target = self.bodies("10x50", 10), "/v1/services/f50/features?status=true"
        connections, cycle = 32, 10

        def turn(loaded):
            capacity, failed = self.at_capacity(loaded, target, bodies, connections)
            result = self.open_loop(loaded, target, bodies, capacity * 0.8, connections, cycle, interval=1)
            return Turn(capacity, result["intervals"], failed + result["errors"] + result["refused"])

        steady = Steady([], [], [], 0)
        turns = max(4, seconds // cycle)
        with MemorySamples(server) as memory:
            for n in range(turns):
                steady.aged.append(turn(server))
                if n % 6 == 5 or n == turns - 1:
                    with self.serve(repository, "--threads", 1, log="serve_new.log") as new:
                        steady.fresh.append(turn(new))
                        steady.pairs.append([])
                        for pair in range(4):
                            order = (server, new) if pair % 2 == 0 else (new, server)
                            measured = {loaded: self.at_capacity(loaded, target, bodies, connections) for loaded in order}
                            steady.pairs[-1].append((measured[server][0], measured[new][0]))
                            steady.failed += sum(failed for _, failed in measured.values())
        self.suite.report(f"serve for {turns * cycle} s at 80 % of capacity, 10 x 50 with statuses, LMDB",
                          "flat p50 (within 1.25 times), p99 (1.5) and memory, from the first quarter to the last and beside servers just "
                          "started, and 0.9 times their capacity; no error",
                          f"{steady}; memory {max(memory.mb):.0f} MB, {memory.growth():+.1f} MB",
                          steady.is_flat() and memory.growth() < 5, "bench_load", part="endurance")

    def overload(self, server, seconds):
        """Twice the capacity, then half of it. With 100 x 50, because one core must send twice what another can answer."""
        bodies, target = self.bodies("100x50", 100), "/v1/services/f50/features?status=true"
        # A few connections: more would wait for longer than the server lets them.
        capacity = statistics.median(self.at_capacity(server, target, bodies, 16, seconds=5)[0] for _ in range(5))
        with MemorySamples(server) as memory:
            result = self.open_loop(server, target, bodies, capacity * 2, CONNECTIONS, seconds)
        answered = result["requests"] - result["refused"] - result["errors"]
        self.suite.report(f"serve for {seconds} s at twice the capacity, 100 x 50 with statuses, LMDB",
                          f"p99 of those answered under {2 * QUEUE_MS} ms, 80 % of capacity answered, the rest refused, bounded memory",
                          f"{capacity:,.0f} requests/s can be taken, {capacity * 2:,.0f} came: {answered / seconds:,.0f} answered, "
                          f"p50 {result['p50_us'] / 1000:.0f} ms, p99 {result['p99_us'] / 1000:.0f} ms; "
                          f"{result['refused'] / result['requests']:.0%} refused, p99 {result['refused_p99_us'] / 1000:.0f} ms; "
                          f"memory {max(memory.mb):.0f} MB, {memory.growth():+.1f} MB; {result['errors']} errors",
                          result["p99_us"] < 2 * QUEUE_MS * 1000 and answered / seconds >= 0.8 * capacity and result["refused"] > 0
                          and result["errors"] == 0 and memory.growth() < 50, "bench_load", part="endurance")
        result = self.open_loop(server, target, bodies, capacity / 2, CONNECTIONS, seconds, interval=1)
        first = result["intervals"][0]
        self.suite.report(f"then {seconds} s at half of it", "recovers within the first second: none refused, p99 under 50 ms",
                          f"first second p99 {first['p99_us'] / 1000:.1f} ms, {first['refused']} refused; all p99 "
                          f"{result['p99_us'] / 1000:.1f} ms, {result['refused']} refused, {result['errors']} errors",
                          first["p99_us"] < 50_000 and result["p99_us"] < 50_000 and result["refused"] + result["errors"] == 0,
                          "bench_load", part="endurance")
