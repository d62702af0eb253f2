#!/usr/bin/env python3
"""What of the benchmark suite can be wrong without being slow: limits, reports and pictures."""

import os
import signal
import socket
import sys
import threading
import unittest

sys.dont_write_bytecode = True

from suite import process, redis_floor, report  # noqa: E402
from suite.endurance import Steady, Turn  # noqa: E402

PYTHON = sys.executable


def row(**more):
    return {"what": "w", "wanted": "a", "reached": "r", "met": True, "command": "asof train", **more}


class Processes(unittest.TestCase):
    def test_a_run_tells_what_it_took(self):
        result = process.run([PYTHON, "-c", "print('done')"])
        self.assertEqual((result.text, result.is_over), ("done\n", False))
        self.assertGreater(result.peak_mb, 1)
        self.assertEqual(set(process.vars_of(result)), {"seconds", "cpu", "peak_mb"})

    def test_a_run_that_fails_ends_the_suite_even_within_a_limit(self):
        for limit in (None, process.Limit(60)):
            with self.assertRaises(SystemExit):
                process.run([PYTHON, "-c", "raise ValueError('no')"], limit=limit)

    def test_a_run_that_comes_to_its_limit_is_told_as_such(self):
        asleep = process.run([PYTHON, "-c", "import signal; signal.pause()"], limit=process.Limit(0.2))
        greedy = process.run([PYTHON, "-c", "bytearray(10**9)"], limit=process.Limit(60, 500))
        for result in (asleep, greedy):
            self.assertTrue(result.is_over)
            self.assertTrue(process.vars_of(result)["over"])
        self.assertEqual(str(process.Limit(60)), "60 s")
        self.assertEqual(str(process.Limit(60, 1500)), "60 s or 1.5 GB")

    def test_the_best_is_the_fastest_that_came_to_no_limit_with_the_largest_peak(self):
        best = process.best([process.Result(1, 1, 30, "over", True), process.Result(3, 2, 10, "slow"), process.Result(2, 2, 20, "fast")])
        self.assertEqual((best.text, best.seconds, best.peak_mb), ("fast", 2, 30))

    def test_the_cpu_of_a_server_counts_what_it_has_started(self):
        child, parent = os.pipe()
        pid = os.fork()
        if pid == 0:
            grandchild = os.fork()
            if grandchild == 0:
                signal.pause()
            os.write(parent, str(grandchild).encode())
            signal.pause()
        try:
            grandchild = int(os.read(child, 20))
            self.assertEqual(process.tree_of(pid), [pid, grandchild])
            self.assertGreaterEqual(process.cpu_of(pid), 0)
        finally:
            os.kill(grandchild, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(child)
            os.close(parent)


class Reports(unittest.TestCase):
    def test_a_row_without_a_promise_is_neither_kept_nor_broken(self):
        self.assertEqual([report.row_text(row(met=met)).split(" | ")[-1] for met in (True, False, None)], ["yes |", "NO |", " |"])

    def test_the_page_names_machine_command_files_and_codecs(self):
        machine = {"cores": 2, "cpu": "AMD", "memory_gib": 24, "kernel": "6", "versions": "asof 1, DuckDB 2"}
        files = [{"name": "f.parquet", "rows": 1000, "columns": 7, "row_groups": 1, "codec": "ZSTD", "megabytes": 1.5}]
        text = report.markdown({"made": "now", "command": "bench/run.py --only join", "machine": machine, "rows": [row()], "files": files})
        for words in ("2 cores of an AMD", "24 GiB", "DuckDB 2", "`bench/run.py --only join`", "`asof train`",
                      "| f.parquet | 1,000 | 7 | 1 | ZSTD | 1.5 MB |"):
            self.assertIn(words, text)

    def test_pictures_of_joins_show_every_tool_but_no_point_that_came_to_a_limit(self):
        figures = {"seconds": 1.0, "cpu": 1.0, "peak_mb": 100}
        rows = [row(rows=millions * 1_000_000, measured={"asof": figures, "duckdb": figures,
                                                         "pandas": {**figures, **({"over": True} if millions == 100 else {})}})
                for millions in (1, 10, 100)]
        drawn = report.pictures({"rows": rows, "curves": {}})
        self.assertEqual(set(drawn), {"join_seconds.svg", "join_peak_mb.svg"})
        for picture in drawn.values():
            self.assertEqual([picture.count(f'fill="{report.COLOURS[tool]}"') for tool in ("asof", "duckdb", "pandas")], [3, 3, 2])
        self.assertEqual(report.pictures({"rows": rows[:1], "curves": {}}), {})


class TenMinutes(unittest.TestCase):
    """Eight turns of ten seconds, two servers just started, and two pairs of capacities after each of those."""

    def steady(self, capacity=lambda n: 20_000, p50=lambda n: 100, p99=lambda n: 3_000, answered=1_000, failed=0, new=20_000, pairs_failed=0):
        def seconds(n):
            return [{"p50_us": p50(n), "p99_us": p99(n), "answered": answered}] * 10
        aged = [Turn(capacity(n), seconds(n), failed) for n in range(8)]
        fresh = [Turn(new, [{"p50_us": 100, "p99_us": 3_000, "answered": 1_000}] * 10, 0) for _ in range(2)]
        return Steady(aged, fresh, [[(capacity(n), new)] * 2 for n in (3, 7)], pairs_failed)

    def test_a_server_that_stays_what_it_was_is_flat(self):
        steady = self.steady()
        self.assertTrue(steady.is_flat())
        for words in ("0.10 and 3.00 ms in the first quarter", "capacity 20,000 requests/s in the first quarter, 20,000 in the last: 1.00 times",
                      "0 errors"):
            self.assertIn(words, str(steady))

    def test_a_server_that_loses_throughput_is_not(self):
        self.assertFalse(self.steady(capacity=lambda n: 20_000 - 400 * n).is_flat())

    def test_a_machine_that_slows_down_takes_it_from_new_servers_too(self):
        self.assertTrue(self.steady(capacity=lambda n: 20_000 - 400 * n, new=17_200).is_flat())

    def test_a_latency_that_rises_is_not_flat(self):
        self.assertFalse(self.steady(p50=lambda n: 100 + 5 * n).is_flat())
        self.assertFalse(self.steady(p99=lambda n: 3_000 + 300 * n).is_flat())

    def test_a_server_slower_than_new_ones_from_the_start_is_not_flat(self):
        self.assertFalse(self.steady(p99=lambda n: 6_000).is_flat())

    def test_seconds_without_an_answer_and_failures_are_not_flat(self):
        self.assertFalse(self.steady(answered=0, p50=lambda n: 0, p99=lambda n: 0).is_flat())
        self.assertFalse(self.steady(failed=1).is_flat())
        self.assertFalse(self.steady(pairs_failed=1).is_flat())


class RedisProtocol(unittest.TestCase):
    def test_replies_of_every_kind_are_read(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            asked = []

            def answer():
                peer, _ = listener.accept()
                with peer:
                    asked.append(peer.recv(4096))
                    peer.sendall(b"+OK\r\n:1\r\n*2\r\n$1\r\n0\r\n*2\r\n$4\r\na\r\nb\r\n$-1\r\n")

            server = threading.Thread(target=answer)
            server.start()
            with redis_floor.Connection(listener.getsockname()[1]) as redis:
                replies = redis.ask(["PING"], ["COPY", b"\x00", "b"], ["SCAN", 0])
            server.join()
        self.assertEqual(replies, [b"OK", 1, [b"0", [b"a\r\nb", None]]])
        self.assertEqual(asked, [b"*1\r\n$4\r\nPING\r\n*3\r\n$4\r\nCOPY\r\n$1\r\n\x00\r\n$1\r\nb\r\n*2\r\n$4\r\nSCAN\r\n$1\r\n0\r\n"])


if __name__ == "__main__":
    unittest.main()
