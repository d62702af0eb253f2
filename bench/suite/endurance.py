"""A server under load for minutes: at 80 % of what it can take, at twice that, and at half of it afterwards. Latency and memory are
sampled throughout, because what leaks or queues shows only with time. The server has one core and the generator another, so that the
load takes nothing from what is loaded."""

import pathlib
import statistics
import threading

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
    """The p50 and the p99 of a second in ms: the medians over some seconds."""

    def __init__(self, seconds):
        seconds = list(seconds)
        self.p50, self.p99 = (statistics.median(second[name] for second in seconds) / 1000 for name in ("p50_us", "p99_us"))

    def is_flat_after(self, other):
        # Two halves of one quiet run differ by a third in their p99.
        return self.p50 <= 1.25 * other.p50 and self.p99 <= 1.5 * other.p99

    def __str__(self):
        return f"{self.p50:.2f} and {self.p99:.2f} ms"


class Endurance(Serving):
    server_prefix, load_prefix = ("taskset", "-c", "0"), ("taskset", "-c", "1")

    def run(self):
        repository = self.suite.tables.online_repository("serving", "lmdb:.asof/online")
        seconds = self.suite.endurance_seconds
        with self.serve(repository, "--threads", 1) as server:
            self.steady(server, repository, seconds)
            self.overload(server, max(5, seconds // 10))

    def capacity(self, server, target, bodies, connections, seconds=5, loops=5):
        """Requests a second where every connection is always busy: the median, as the best is more than lasts for minutes."""
        return statistics.median(self.open_loop(server, target, bodies, 0, connections, seconds)["requests"]
                                 for _ in range(loops)) / seconds

    def steady(self, server, repository, seconds):
        """80 % of capacity: nothing may grow. With 10 x 50, because with 1 x 10 the generator's core is as busy as the server's, and it
        would measure itself.

        The machine's own speed changes from minute to minute by more than the fifth that 80 % leaves, and a rate set once is too much
        for it some minutes later. So every ten seconds begin with one at capacity, and nine of 80 % of that follow. And after every
        minute a server just started takes the same: what is slow there too is the machine. A latency is that of a second, and the
        median of many, because a stall of the machine is a whole p99 of its second, but not of the others. A server that loses
        throughput gets less to do: that is not seen here."""
        bodies, target = self.bodies("10x50", 10), "/v1/services/f50/features?status=true"
        connections, cycle = 32, 10

        def load(loaded):
            capacity = self.capacity(loaded, target, bodies, connections, seconds=1, loops=1)
            result = self.open_loop(loaded, target, bodies, capacity * 0.8, connections, cycle - 1, interval=1)
            return capacity, result["intervals"], result["errors"] + result["refused"]

        aged, fresh = [], []
        with MemorySamples(server) as memory:
            turns = max(4, seconds // cycle)
            for turn in range(turns):
                aged.append(load(server))
                if turn % 6 == 5 or turn == turns - 1:
                    with self.serve(repository, "--threads", 1) as new:
                        fresh.append(load(new))
        quarter = len(aged) // 4
        first, last, every, new = (Latency(second for _, intervals, _ in part for second in intervals)
                                   for part in (aged[:quarter], aged[-quarter:], aged, fresh))
        failed = sum(failures for _, _, failures in aged + fresh)
        rates = sorted(capacity * 0.8 for capacity, _, _ in aged)
        self.suite.report(f"serve for {seconds} s at 80 % of capacity, 10 x 50 with statuses, LMDB",
                          "flat p50 (within 1.25 times), p99 (1.5) and memory, from the first quarter to the last and beside servers "
                          "just started; no error",
                          f"{rates[0]:,.0f} to {rates[-1]:,.0f} requests/s, median {statistics.median(rates):,.0f}; a second's p50 and p99, "
                          f"medians: {first} in the first quarter, {last} in the last; {every} in all, {new} of servers just started; "
                          f"memory {max(memory.mb):.0f} MB, {memory.growth():+.1f} MB; {failed} errors and refusals",
                          last.is_flat_after(first) and every.is_flat_after(new) and memory.growth() < 5 and failed == 0,
                          "bench_load", part="endurance")

    def overload(self, server, seconds):
        """Twice the capacity, then half of it. With 100 x 50, because one core must send twice what another can answer."""
        bodies, target = self.bodies("100x50", 100), "/v1/services/f50/features?status=true"
        # A few connections: more would wait for longer than the server lets them.
        capacity = self.capacity(server, target, bodies, 16)
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
