"""asof bench: a load on the user's own definitions. What it counts is looked at here, never how fast it was."""

import json
import re
import signal
import subprocess
import time
import urllib.request

import repository
import shop

QUICK = ("--duration", "100ms")
GLOBAL = """\
  - name: season
    source: {path: data/season.parquet, event_time: event_timestamp}
    features: [{name: is_winter, type: bool}]
services:
  - {name: weather, features: [season]}
"""


class Bench(shop.Shop):
    def setUp(self):
        super().setUp()
        self.shop()

    def bench(self, *arguments, **more):
        return self.good("bench", "--service", "churn", *QUICK, *arguments, **more)

    def assert_ended(self, url):
        with self.assertRaises(OSError):
            urllib.request.urlopen(url + "/livez", timeout=5)


class OfItsOwnServer(Bench):
    def setUp(self):
        super().setUp()
        self.good("materialize")

    def test_measures_each_shape_in_a_closed_and_two_open_loops_and_leaves_no_server_behind(self):
        result = self.bench("--entities-per-request", "1,3", "--json").json
        self.assertEqual([load["entities"] for load in result["loads"]], [1, 1, 1, 3, 3, 3])
        self.assertEqual([load["loop"] for load in result["loads"]], ["closed", "open", "open"] * 2)
        for load in result["loads"]:
            self.assertEqual([load[name] for name in ("refused", "failed", "broken", "unanswered")], [0, 0, 0, 0], load)
            self.assertEqual(load["succeeded"], load["requests"])
            latency = load["latency_us"]
            self.assertLessEqual(latency["p50"], latency["p99"])
            self.assertLessEqual(latency["p999"], latency["max"])
        self.assertGreater(result["loads"][0]["succeeded"], 0)
        self.assertEqual((result["service"], result["features"]), ("churn", 2))
        self.assertEqual(result["keys"], {"from": "view stats, online", "sample": 2, "of": 2, "found": 1.0})
        self.assertGreater(result["server_peak_bytes"], 1_000_000)
        self.assert_ended(result["url"])

    def test_prints_a_table(self):
        done = self.bench("--entities-per-request", "1", "--rate", "100,200")
        lines = done.out.splitlines()
        self.assertEqual(lines[0], "service churn: 2 features, keys of view stats, online")
        self.assertRegex(lines[1], "entities +load +requests/s +values/s +p50 +p99 +p99.9 +max +429 +errors +CPU/request")
        self.assertRegex(lines[2], r"^ +1  100/s +[\d,]+ +[\d,]+ +[\d.]+ ms")
        self.assertRegex(lines[3], r"^ +1  200/s ")
        self.assertIn("Peak memory of the server: ", done.out)
        self.assertIn("http://127.0.0.1:", done.err)

    def test_sends_exactly_what_a_rate_says(self):
        [load] = self.bench("--entities-per-request", "2", "--rate", "200", "--json").json["loads"]
        self.assertEqual((load["requests"], load["succeeded"], load["rate"]), (20, 20, 200))

    def test_asks_for_features_and_statuses(self):
        result = self.good("bench", "--features", "stats:orders,category", "--status", "--entities-per-request", "1", "--rate", "50",
                           *QUICK, "--json").json
        self.assertEqual((result["service"], result["features"], result["status"]), (None, 2, True))
        self.assertEqual(result["loads"][0]["succeeded"], 5)

    def test_the_same_seed_takes_the_same_keys(self):
        self.shop(stats="SELECT i AS customer_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp, i AS orders, 'c' AS category "
                        "FROM range(500) t(i)")
        self.good("materialize")
        for seed in ("1", "2"):
            keys = self.bench("--entities-per-request", "1", "--rate", "50", "--keys", "20", "--seed", seed, "--json").json["keys"]
            self.assertEqual(keys, {"from": "view stats, online", "sample": 20, "of": 500, "found": 1.0})

    def test_takes_keys_from_a_file(self):
        self.write("keys.csv", "name,customer_id\nann,1\nbob,\ncid,2\n")
        self.write("keys.json", '[{"customer_id": 1}, {"customer_id": 2}]')
        self.parquet("keys.parquet", "SELECT 1::BIGINT AS customer_id UNION ALL SELECT 1")
        for rows, sample, found in (("keys.csv", 2, 1.0), ("keys.json", 2, 1.0), ("keys.parquet", 2, 1.0),
                                    ("SELECT 9 AS customer_id FROM range(3)", 3, 0.0)):
            with self.subTest(rows=rows):
                done = self.bench("--entities", rows, "--entities-per-request", "1", "--rate", "50", "--json")
                self.assertEqual(done.json["keys"], {"from": rows, "sample": sample, "of": sample, "found": found})
                self.assertEqual(done.json["loads"][0]["succeeded"], 5)
                self.assertEqual("finds 0.0 % of the values" in done.err, found == 0)

    def test_says_what_is_wrong_with_a_file_of_keys(self):
        self.write("keys.csv", "customer\n1\n")
        self.bad("bench", "--service", "churn", "--entities", "keys.csv", says=["customer_id", "did you mean 'customer'"])
        self.bad("bench", "--service", "churn", "--entities", "nothing.csv", says=["--entities", "nothing.csv"])
        self.write("keys.csv", "customer_id\nx\n")
        done = self.bad("bench", "--service", "churn", "--entities", "keys.csv", says=["customer_id", "--entities"])
        self.assertNotIn("--labels", done.err)
        self.bad("bench", "--service", "churn", "--entities", "SELECT NULL::BIGINT AS customer_id", says="no row with all join keys")

    def test_measures_views_without_entities(self):
        self.parquet("data/season.parquet", "SELECT TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp, true AS is_winter")
        self.shop(features=shop.FEATURES.replace("services:\n", GLOBAL))
        self.good("materialize")
        result = self.good("bench", "--service", "weather", "--entities-per-request", "1", "--rate", "50", *QUICK, "--json").json
        self.assertEqual(result["loads"][0]["succeeded"], 5)

    def test_ctrl_c_ends_it_and_its_server(self):
        process, url = self.endless()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        self.assertEqual(process.wait(timeout=60), 1, said)
        self.assertIn("stopped", said)
        self.assert_ended(url)

    def test_a_killed_command_takes_its_server_along(self):
        process, url = self.endless()
        process.kill()
        process.wait(timeout=60)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(url + "/livez", timeout=5).close()
            except OSError:
                return
            time.sleep(0.02)
        self.fail("the server is still there")

    def endless(self):
        """A command under way, and where its server is."""
        process = subprocess.Popen([repository.PROGRAM, "bench", "--service", "churn", "--duration", "1h"], cwd=self.path,
                                   env=repository.environment(**self.env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return process, found[0]
        self.fail("it ended before it began")


class OfARunningServer(Bench):
    def setUp(self):
        super().setUp()
        self.good("materialize")

    def test_measures_it_by_its_url(self):
        with repository.Server(self) as server:
            url = f"http://127.0.0.1:{server.port}"
            result = self.bench("--url", url, "--entities-per-request", "1", "--rate", "100", "--json").json
            self.assertEqual((result["url"], result["loads"][0]["succeeded"]), (url, 10))
            self.assertIsNone(result["loads"][0]["server_cpu_us"])
            self.assertIsNone(result["server_peak_bytes"])
            self.assertEqual(server.get("/livez")[0], 200)

    def test_takes_the_token_of_the_project_or_of_its_option(self):
        self.write("asof.yaml", shop.PROJECT + "server: {token: secret}\n")
        server = repository.Server(self)
        self.addCleanup(server.stop)
        url = f"http://127.0.0.1:{server.port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not self.is_up(server):
            time.sleep(0.02)
        common = ("--url", url, "--entities-per-request", "1", "--rate", "50")
        self.bench(*common)
        self.bad("bench", "--service", "churn", *QUICK, *common, "--token", "wrong", says=["401", "--token"])
        self.write("asof.yaml", shop.PROJECT)
        self.bench(*common, "--token", "secret")

    @staticmethod
    def is_up(server):
        try:
            return server.get("/livez")[0] == 200
        except OSError:
            return False

    def test_says_what_the_server_says(self):
        with repository.Server(self, "--max-entities", "5") as server:
            self.bad("bench", "--service", "churn", *QUICK, "--url", f"http://127.0.0.1:{server.port}", "--entities-per-request", "6",
                     says=["answered 413", "5"])

    def test_says_which_server_cannot_be_reached(self):
        port = repository.free_port()
        self.bad("bench", "--service", "churn", "--url", f"http://127.0.0.1:{port}", says=[f"127.0.0.1:{port}", "refused", "asof serve"])
        self.bad("bench", "--service", "churn", "--url", "127.0.0.1:80", says=["--url", "http://127.0.0.1:6566"])
        self.bad("bench", "--service", "churn", "--url", "https://x", says=["--url", "https"])


class BeforeAnything(Bench):
    def test_nothing_is_materialized(self):
        self.bad("bench", "--service", "churn", says=["customer_id", "stats", "asof materialize", "file of keys"])

    def test_an_unknown_service_or_feature_is_named_with_the_nearest(self):
        self.bad("bench", "--service", "chrun", says=["chrun", "'churn'", "--service"])
        self.bad("bench", "--features", "stats:ordres", says=["ordres", "orders", "--features"])

    def test_a_memory_store_is_loaded_by_the_server_and_its_keys_come_from_the_sources(self):
        self.write("asof.yaml", "project: shop\nonline: \"memory:\"\n")
        self.good("apply")
        result = self.bench("--entities-per-request", "1", "--rate", "50", "--json").json
        self.assertEqual(result["keys"], {"from": "view stats, offline", "sample": 2, "of": 2, "found": 1.0})
        self.assertEqual(result["loads"][0]["succeeded"], 5)

    def test_options_that_mean_nothing_are_told(self):
        for options, says in (
                ((), "--service"), (("--service", "churn", "--features", "orders"), "exclude"),
                (("--service", "churn", "--rate", "0"), "'0'"), (("--service", "churn", "--rate", "fast"), "'fast'"),
                (("--service", "churn", "--rate", "nan"), "'nan'"), (("--service", "churn", "--rate", ","), "--rate"),
                (("--service", "churn", "--rate", "0.1", "--duration", "1s"), "0 requests"),
                (("--service", "churn", "--rate", "1000000", "--duration", "24h"), "86400000000 requests"), (("--service", "churn", "--entities-per-request", "0"), "'0'"),
                (("--service", "churn", "--entities-per-request", ","), "no number"),
                (("--service", "churn", "--duration", "1"), "--duration"), (("--service", "churn", "--duration", "2d"), "'2d'"),
                (("--service", "churn", "--connections", "0"), "--connections"),
                (("--service", "churn", "--connections", "1", "--load-threads", "2"), "2 load threads"),
                (("--service", "churn", "--token", "x"), "--url"),
                (("--service", "churn", "--url", "http://x", "--token", "a\nb"), "--token")):
            with self.subTest(options=options):
                self.bad("bench", *options, code=2, says=says)


if __name__ == "__main__":
    repository.main()
