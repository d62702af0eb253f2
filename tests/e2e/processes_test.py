"""Several processes at once, killed processes, and the set clock."""

import json
import signal
import subprocess
import threading
import time

import repository
import shop


class Applies(shop.Shop):
    def test_of_two_applies_at_once_none_is_lost(self):
        self.shop()
        other = self.path / "other"
        (other / "features").mkdir(parents=True)
        # Two checkouts of one project, on one registry, that both change the same view.
        (other / "asof.yaml").write_text(f"project: shop\nregistry: sqlite:{self.path}/.asof/registry.db\n")
        (other / "data").symlink_to(self.path / "data")
        self.write("features/shop.yaml", shop.FEATURES.replace("    entity: customer\n    source", "    entity: customer\n    max_age: 8d\n    source"))
        (other / "features/shop.yaml").write_text(
            shop.FEATURES.replace("    entity: customer\n    source", "    entity: customer\n    max_age: 9d\n    source"))
        done = [None, None]

        def apply(i, folder):
            done[i] = repository.run("apply", cwd=folder, env=self.env)

        threads = [threading.Thread(target=apply, args=pair) for pair in ((0, self.path), (1, other))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [d for d in done if d.code == 0]
        self.assertTrue(won, done)
        for lost in (d for d in done if d.code != 0):
            self.assertIn("revision", lost.err)
        # Each apply that said it was done is in the history, and the numbers have no gap.
        history = self.good("history", "--json").json
        self.assertEqual([entry["revision"] for entry in history], list(range(len(won) + 1, 0, -1)))
        self.assertIn(self.good("show", "view", "stats", "--json").json["max_age"], ("8d", "9d"))


class Kills(shop.Shop):
    rows = 600_000

    def setUp(self):
        super().setUp()
        many = (f"SELECT i AS customer_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_seconds(i % 100000) AS event_timestamp, "
                f"i::BIGINT AS orders, 'c' || (i % 10) AS category FROM range({self.rows}) t(i)")
        self.shop(stats=many)

    def kill_a_run(self, *arguments):
        """Starts a run and kills it as soon as the ledger says that it is running."""
        before = {run["id"] for run in self.good("runs", "--json").json}
        process = subprocess.Popen([repository.PROGRAM, "materialize", *arguments], cwd=self.path,
                                   env=repository.environment(**self.env), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_a_run(process, before)
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL, "the run was over before it could be killed")

    def wait_for_a_run(self, process, before):
        while not any(run["id"] not in before and run["state"] == "running" for run in self.good("runs", "--json").json):
            self.assertIsNone(process.poll(), "the run was over before it was seen")

    def test_a_killed_run_is_resumed_by_the_next(self):
        self.kill_a_run()
        self.good("materialize")
        [verified] = self.good("verify", "--json").json
        self.assertEqual((verified["differences"], verified["keys_compared"]), (0, self.rows))
        states = [run["state"] for run in self.good("runs", "--json").json]
        self.assertEqual(states[0], "succeeded")
        # No run of the past still says that it is running.
        self.assertNotIn("running", states)

    def test_while_a_new_generation_loads_the_old_one_is_served(self):
        self.good("materialize")
        self.kill_a_run("--full")
        self.assertIn('"orders":77', self.good("get", "churn", "customer_id=77").out)
        self.good("verify")
        self.good("materialize", "--full")
        self.good("verify")

    def test_two_runs_of_one_view_do_not_run_at_once(self):
        first = subprocess.Popen([repository.PROGRAM, "materialize"], cwd=self.path, env=repository.environment(**self.env),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_a_run(first, set())
        first.send_signal(signal.SIGSTOP)  # it holds the view's lease for as long as this test wants
        second = self.asof("materialize")
        first.send_signal(signal.SIGCONT)
        self.assertEqual(first.wait(), 0)
        self.assertEqual(second.code, 1, second)
        self.assertIn("stats", second.out + second.err)
        self.good("verify")


class SetClock(shop.Shop):
    def test_a_set_clock_is_said_and_holds_for_every_command(self):
        self.shop()
        self.env = {}
        early = ("--now", "2026-01-02T12:00:00Z")
        done = self.good("materialize", *early)
        self.assertIn("clock set to 2026-01-02T12:00:00Z", done.err)
        self.assertIn('"orders":1', self.good("get", "churn", "customer_id=1", *early).out)
        self.good("verify", *early)
        # In its place before the command, and from the environment, it is the same.
        self.assertIn("clock set to 2026-01-02T12:00:00Z", self.good(*early, "status").err)
        self.env = {"ASOF_NOW": "2026-01-10T00:00:00Z"}
        self.good("materialize")
        self.assertIn('"orders":2', self.good("get", "churn", "customer_id=1").out)

    def test_a_clock_that_is_no_time_is_told(self):
        self.shop()
        self.bad("status", "--now", "yesterdayish", says=["--now", "yesterdayish"])
        self.bad("status", env={"ASOF_NOW": "13 o'clock"}, says=["ASOF_NOW", "13 o'clock"])

    def test_a_server_with_a_set_clock_says_so_in_every_answer_and_stays_at_home(self):
        self.shop()
        self.good("materialize")
        with repository.Server(self) as server:
            _, headers, _ = server.get("/v1/services/churn/features?customer_id=1")
            self.assertEqual(headers["X-Asof-Now"], "2026-01-10T00:00:00Z")
            self.assertEqual(headers["X-Asof-Revision"], "1")
        self.write("asof.yaml", "project: shop\nserver: {token: secret-token-of-some-length}\n")
        self.bad("serve", "--bind", "0.0.0.0", "--port", repository.free_port(), says="clock")


class Serve(shop.Shop):
    def test_picks_up_an_apply_without_a_restart(self):
        self.shop()
        self.good("materialize")
        with repository.Server(self) as server:
            self.write("features/shop.yaml", shop.FEATURES + "  - name: small\n    features: [\"stats:orders\"]\n")
            self.good("apply")
            deadline = time.monotonic() + 30
            while server.get("/v1/services/small/features?customer_id=1")[0] != 200:
                self.assertLess(time.monotonic(), deadline, "the new service is not served")
                time.sleep(0.02)

    def test_ends_well_when_it_is_asked_to(self):
        self.shop()
        server = repository.Server(self)
        with server:
            pass
        self.assertEqual(server.process.returncode, 0, server.text())

    def test_loads_views_by_their_schedule(self):
        self.env = {}
        self.shop(features=shop.FEATURES.replace("    entity: customer\n    source", "    entity: customer\n    schedule: every 1h\n    source"))
        with repository.Server(self) as server:
            deadline = time.monotonic() + 60
            while json.loads(server.get("/v1/services/churn/features?customer_id=1")[2])["features"]["orders"] != 2:
                self.assertLess(time.monotonic(), deadline, server.text())
                time.sleep(0.05)
        self.assertEqual([run["state"] for run in self.good("runs", "--json").json], ["succeeded"])


if __name__ == "__main__":
    repository.main()
