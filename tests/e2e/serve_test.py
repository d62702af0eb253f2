"""The server's life: what it loads, what it refuses meanwhile, and how it ends."""

import contextlib
import json
import signal
import subprocess
import threading
import time

import repository
import shop

MEMORY = "project: shop\nonline: \"memory:\"\n"
# Due where it was never loaded, and then not while a test goes on.
SCHEDULED = shop.FEATURES.replace("    entity: customer\n    source", "    entity: customer\n    schedule: every 1000d\n    source")
# Rows without end, of ten customers: a run of it goes on for as long as a test wants.
ENDLESS = shop.FEATURES.replace(
    "{path: data/stats.parquet, event_time: event_timestamp}",
    "{event_time: event_timestamp, sql: \"SELECT i % 10 AS customer_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp, "
    "i AS orders, 'c' AS category FROM range(1000000000000) t(i)\"}")
OTHER = """\
  - name: other
    entity: customer
    source: {path: data/other.parquet, event_time: event_timestamp}
    features:
      - {name: other_orders, type: int64, column: orders}
services:
  - {name: others, features: [other]}
"""
PATIENCE_S = 60


class MemoryStore(shop.Shop):
    def setUp(self):
        super().setUp()
        self.env = {}  # the real clock: schedules count
        self.write("asof.yaml", MEMORY)

    def test_is_loaded_once_and_then_by_its_schedule_without_a_complaint(self):
        self.shop(features=SCHEDULED)
        for restart in range(2):
            server = repository.Server(self)
            with server:
                status, _, text = server.get("/v1/services/churn/features?customer_id=1")
                self.assertEqual((status, json.loads(text)["features"]["orders"]), (200, 2))
            for complaint in ("ERROR", "WARN", "reads_refused", "failed"):
                self.assertNotIn(complaint, server.said.upper() if complaint.isupper() else server.said)
            runs = self.good("runs", "--json").json
            self.assertEqual([run["state"] for run in runs], ["succeeded"] * (restart + 1))

    def test_a_view_that_cannot_be_loaded_is_refused_until_a_run_of_it_succeeds(self):
        self.parquet("data/other.parquet", shop.STATS)
        self.shop(features=shop.FEATURES.replace("services:\n", OTHER))
        (self.path / "data/stats.parquet").rename(self.path / "data/hidden")
        server = self.started()
        try:
            self.until(lambda: server.get("/v1/services/others/features?customer_id=1")[0] == 200, server)
            status, _, text = server.get("/v1/services/churn/features?customer_id=1")
            self.assertEqual(status, 503, text)
            self.assertIn("initial load", text)
            (self.path / "data/hidden").rename(self.path / "data/stats.parquet")
            self.assertEqual(server.post("/materialize-incremental", {"feature_views": ["stats"]})[0], 200)
            self.until(lambda: server.get("/v1/services/churn/features?customer_id=1")[0] == 200, server)
            self.assertEqual(server.get("/readyz")[0], 200)
        finally:
            server.stop()

    def started(self):
        """A server that answers, ready or not."""
        server = repository.Server(self)
        self.until(lambda: server.get("/livez")[0] == 200, server)
        return server

    def until(self, is_so, server):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if is_so():
                    return
            except OSError:
                pass
            self.assertLess(time.monotonic(), deadline, server.text())
            self.assertIsNone(server.process.poll(), server.text())
            time.sleep(0.02)


class Ends(shop.Shop):
    def setUp(self):
        super().setUp()
        self.env = {}
        self.shop(features=ENDLESS)
        self.servers = []
        self.addCleanup(lambda: [server.process.kill() for server in self.servers if server.process.poll() is None])

    def serve(self, *arguments):
        server = repository.Server(self, *arguments)
        self.servers.append(server)
        server.__enter__()
        return server

    def post_without_waiting(self, server):
        """A client that waits for the end of a run."""
        def post():
            with contextlib.suppress(OSError):
                server.post("/materialize-incremental", {})

        client = threading.Thread(target=post)
        client.start()
        return client

    def wait_for_a_run(self):
        deadline = time.monotonic() + PATIENCE_S
        while not any(run["state"] == "running" for run in self.good("runs", "--json").json):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def assert_stopped(self):
        [run] = self.good("runs", "--json").json
        self.assertEqual(run["state"], "failed", run)
        self.assertIn("stopped before its end", run["error"])

    def test_while_a_request_materializes(self):
        server = self.serve("--drain-ms", "100")
        self.assertEqual(server.post("/materialize-incremental?async=true", {})[0], 202)
        self.wait_for_a_run()
        self.assertEqual(server.stop(), 0, server.text())
        self.assert_stopped()

    def test_while_a_scheduled_run_goes_on(self):
        self.write("features/shop.yaml", ENDLESS.replace("    entity: customer\n", "    entity: customer\n    schedule: every 1h\n"))
        self.good("apply")
        server = self.serve("--drain-ms", "100")
        self.wait_for_a_run()
        self.assertEqual(server.stop(), 0, server.text())
        self.assert_stopped()

    def test_at_once_on_a_second_signal(self):
        server = self.serve("--drain-ms", "600000")
        client = self.post_without_waiting(server)
        self.wait_for_a_run()
        server.process.terminate()
        deadline = time.monotonic() + PATIENCE_S
        while "a second one ends at once" not in server.text():
            self.assertLess(time.monotonic(), deadline, server.text())
            time.sleep(0.02)
        self.assertIsNone(server.process.poll(), server.text())
        while server.process.poll() is None:
            self.assertLess(time.monotonic(), deadline, server.text())
            server.process.terminate()
            time.sleep(0.02)
        self.assertEqual(server.stop(), -signal.SIGTERM)
        client.join()

    def test_as_a_command_does(self):
        process = subprocess.Popen([repository.PROGRAM, "materialize"], cwd=self.path, env=repository.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_a_run()
        process.terminate()
        self.assertEqual(process.wait(timeout=PATIENCE_S), 1)
        self.assert_stopped()

    def test_not_while_others_are_told_that_a_process_runs_the_view(self):
        process = subprocess.Popen([repository.PROGRAM, "materialize"], cwd=self.path, env=repository.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_a_run()
        server = self.serve("--drain-ms", "100")
        for route in ("/materialize-incremental", "/materialize-incremental?async=true"):
            status, _, text = server.post(route, {})
            self.assertEqual(status, 409, text)
            self.assertEqual(json.loads(text)["error"]["code"], "conflict")
        second = self.asof("materialize")
        self.assertEqual(second.code, 1, second)
        [line] = second.out.splitlines()
        self.assertIn("stats: another process is running it", line)
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        self.assertEqual(server.stop(), 0, server.text())
        self.assert_stopped()


class Options(shop.Shop):
    def test_no_schedule_loads_nothing(self):
        self.env = {}
        self.shop(features=SCHEDULED)
        with repository.Server(self, "--no-schedule", "--idle-timeout-ms", "5000") as server:
            _, _, text = server.get("/v1/services/churn/features?customer_id=1")
            self.assertIsNone(json.loads(text)["features"]["orders"])
        self.assertEqual(self.good("runs", "--json").json, [])


class ClockInThePast(shop.Shop):
    def test_finds_nothing_of_its_future(self):
        self.shop()
        self.good("materialize")
        early = ("--now", "2026-01-02T12:00:00Z")
        row = self.good("get", "churn", "customer_id=1", "--status", "--json", *early).json
        self.assertIn("NOT_FOUND", json.dumps(row))
        self.assertNotIn("toys", json.dumps(row))
        self.assertIn('"orders":5', self.good("get", "churn", "customer_id=2", *early).out)
        [status] = self.good("status", "--json", *early).json
        self.assertIn("2026-01-03T00:00:00Z", status["reason"])
        self.assertEqual(status["coverage"]["orders"], 1)


if __name__ == "__main__":
    repository.main()
