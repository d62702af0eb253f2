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


class Endurance(Serving):
    server_prefix, load_prefix = ("taskset", "-c", "0"), ("taskset", "-c", "1")

    def run(self):
        repository = self.suite.tables.online_repository("serving", "lmdb:.asof/online")
        seconds = self.suite.endurance_seconds
        with self.serve(repository, "--threads", 1) as server:
            self.steady(server, seconds)
            self.overload(server, max(5, seconds // 10))

    def capacity(self, server, target, bodies, connections):
        """Requests a second where every connection is always busy: the median, as the best is more than lasts for minutes."""
        seconds = 5
        return statistics.median(self.open_loop(server, target, bodies, 0, connections, seconds)["requests"]
                                 for _ in range(max(5, self.suite.runs))) / seconds

    def steady(self, server, seconds):
        """80 % of capacity: nothing may grow. With 10 x 50, because with 1 x 10 the generator's core is as busy as the server's, and it
        would measure itself."""
        bodies, target = self.bodies("10x50", 10), "/v1/services/f50/features?status=true"
        capacity = self.capacity(server, target, bodies, 32)
        with MemorySamples(server) as memory:
            result = self.open_loop(server, target, bodies, capacity * 0.8, 32, seconds, interval=max(1, seconds // 40))
        intervals = result["intervals"]
        quarter = max(1, len(intervals) // 4)
        first, last = (statistics.median(interval["p99_us"] for interval in part) / 1000
                       for part in (intervals[:quarter], intervals[-quarter:]))
        p50s = [interval["p50_us"] / 1000 for interval in intervals]
        self.suite.report(f"serve for {seconds} s at 80 % of capacity, 10 x 50 with statuses, LMDB", "flat p99 and memory, no error",
                          f"{capacity * 0.8:,.0f} requests/s; p99 {first:.2f} ms in the first quarter, {last:.2f} ms in the last; "
                          f"p50 {min(p50s):.2f} to {max(p50s):.2f} ms; memory {max(memory.mb):.0f} MB, {memory.growth():+.1f} MB; "
                          f"{result['errors']} errors, {result['refused']} refused",
                          last <= max(1.5 * first, 5) and memory.growth() < 5 and result["errors"] + result["refused"] == 0,
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
