"""The mistakes that newcomers make: each is told, with what was met, what was wanted, where, and what to do."""

import json
import socket

import repository
import shop


class Names(shop.Shop):
    def test_a_misspelt_feature_in_a_service_is_named_with_its_place_and_the_nearest(self):
        self.shop(features=shop.FEATURES.replace('"stats:orders"', '"stats:order"'), apply=False)
        self.bad("validate", says=["features/shop.yaml:13", "order", "orders"])

    def test_a_misspelt_column_is_found_at_plan(self):
        self.shop(features=shop.FEATURES.replace("- orders: int64", "- {name: orders, type: int64, column: ordrs}"), apply=False)
        self.bad("plan", says=["ordrs", "orders", "features/shop.yaml"])

    def test_a_misspelt_key_of_a_definition_is_named_with_the_nearest(self):
        self.shop(features=shop.FEATURES.replace("    entity: customer", "    entity: customer\n    max_agee: 1d"), apply=False)
        self.bad("validate", says=["features/shop.yaml:7", "max_agee", "max_age"])

    def test_a_word_of_feast_is_answered_with_ours(self):
        self.shop(features=shop.FEATURES.replace("    entity: customer", "    entity: customer\n    ttl: 1d"), apply=False)
        self.bad("validate", says=["ttl", "max_age"])

    def test_every_mistake_is_told_in_one_run(self):
        self.shop(features=shop.FEATURES.replace('"stats:orders"', '"stats:order"')
                  .replace("entity: customer", "entity: custmer").replace("category: string", "category: strng"), apply=False)
        done = self.bad("validate", says=["order", "custmer", "strng"])
        self.assertGreaterEqual(done.err.count("features/shop.yaml:"), 3, done)
        as_json = self.bad("validate", "--json").json
        self.assertFalse(as_json["valid"])
        self.assertGreaterEqual(len(as_json["errors"]), 3)

    def test_a_name_twice_is_an_error(self):
        self.shop(features=shop.FEATURES + "  - name: churn\n    features: [stats]\n", apply=False)
        self.bad("validate", says=["churn", "features/shop.yaml"])

    def test_a_misspelt_service_is_named_with_the_nearest_on_every_path(self):
        self.shop()
        self.bad("train", "--labels", "labels.csv", "--service", "chrun", says=["chrun", "churn"])
        self.bad("get", "chrun", "customer_id=1", says=["chrun", "churn"])
        self.bad("get", "--features", "stats:ordes", "customer_id=1", says=["ordes", "orders"])
        self.bad("show", "view", "stat", says=["stat", "stats"])
        with repository.Server(self) as server:
            status, _, text = server.get("/v1/services/chrun/features?customer_id=1")
            self.assertEqual(status, 404, text)
            self.assertIn("churn", json.loads(text)["error"]["hint"])

    def test_what_was_typed_is_called_as_it_was_typed(self):
        self.shop()
        for words, name in ((["get", "chrun", "customer_id=1"], "SERVICE"), (["get", "--features", "stat", "customer_id=1"], "--features"),
                            (["materialize", "stat"], "VIEW"), (["materialize-incremental", "-v", "stat"], "--views"),
                            (["verify", "stat"], "VIEW"), (["rollback", "9"], "REVISION"),
                            (["train", "--labels", "labels.csv", "-s", "chrun"], "--service"),
                            (["materialize", "--from", "2026-01-03", "--to", "2026-01-02"], "--from")):
            self.bad(*words, says=f"error: {name}: ")

    def test_a_misspelt_join_key_is_named_with_the_nearest(self):
        self.shop()
        self.bad("get", "churn", "custmer_id=1", says=["custmer_id", "customer_id"])
        self.bad("get", "churn", says=["customer_id", "missing"])


class Keys(shop.Shop):
    def test_text_for_an_integer_key_is_an_error_that_names_the_key(self):
        self.shop()
        done = self.bad("get", "churn", "customer_id=one", says="customer_id: 'one' is not of type int64")
        self.assertEqual(done.err.count("'one'"), 1, done)
        with repository.Server(self) as server:
            status, _, text = server.post("/v1/services/churn/features", {"entities": [{"customer_id": "1"}]})
            self.assertEqual(status, 400, text)
            self.assertIn("customer_id", text)

    def test_integer_keys_of_a_file_do_not_pass_for_text(self):
        self.shop(features=shop.FEATURES.replace("customer_id: int64", "customer_id: string"), apply=False)
        self.bad("plan", says=["customer_id", "string"])

    def test_a_join_key_that_the_source_lacks_is_found_at_plan(self):
        self.shop(features=shop.FEATURES.replace("customer_id: int64", "client_id: int64"), apply=False)
        self.bad("plan", says=["client_id"])

    def test_labels_without_the_join_key_are_refused(self):
        self.shop()
        self.write("labels.csv", "client_id,event_timestamp\n1,2026-01-02T00:00:00Z\n")
        done = self.train()
        self.assertEqual(done.code, 1, done)
        self.assertIn("customer_id", done.err)

    def test_a_row_for_a_key_and_time_twice_is_normal(self):
        self.shop(stats=f"{shop.STATS} UNION ALL {shop.STATS}")
        self.good("materialize")
        self.good("verify")
        rows = self.good("get", "churn", "customer_id=1", "--json").json["rows"]
        self.assertEqual(rows[0]["features"], {"orders": 2, "category": "toys"})


class Times(shop.Shop):
    def test_labels_without_a_time_column_are_refused_with_the_reason(self):
        self.shop()
        self.write("labels.csv", "customer_id\n1\n2\n")
        done = self.train()
        self.assertEqual(done.code, 1, done)
        self.assertIn("time", done.err)
        self.assertIn("hint: ", done.err)

    def test_a_zone_less_time_is_utc_and_plan_says_so(self):
        self.shop(stats=shop.STATS.replace("TIMESTAMPTZ", "TIMESTAMP").replace("Z'", "'"), apply=False)
        plan = self.good("plan", "--json").json
        self.assertTrue(any("UTC" in notice for notice in plan["notices"]), plan)
        self.good("apply")
        self.good("materialize")
        self.assertIn('"orders":2', self.good("get", "churn", "customer_id=1").out)

    def test_a_time_kept_as_text_is_refused_at_plan(self):
        self.shop(stats=f"SELECT customer_id, event_timestamp::VARCHAR AS event_timestamp, orders, category FROM ({shop.STATS})",
                  apply=False)
        self.bad("plan", says=["event_timestamp", "is text", "CAST(", "TIMESTAMPTZ", "strptime"])

    def test_epoch_milliseconds_want_a_declared_unit(self):
        epochs = f"SELECT customer_id, epoch_ms(event_timestamp) AS event_timestamp, orders, category FROM ({shop.STATS})"
        self.shop(stats=epochs, apply=False)
        self.bad("plan", says=["event_timestamp", "time_unit"])
        self.write("features/shop.yaml",
                   shop.FEATURES.replace("event_time: event_timestamp}", "event_time: event_timestamp, time_unit: ms}"))
        self.good("apply")
        self.good("materialize")
        self.assertIn('"orders":2', self.good("get", "churn", "customer_id=1").out)

    def test_a_wrong_unit_is_told_by_the_years_that_it_makes(self):
        epochs = f"SELECT customer_id, epoch_ms(event_timestamp) AS event_timestamp, orders, category FROM ({shop.STATS})"
        self.shop(stats=epochs,
                  features=shop.FEATURES.replace("event_time: event_timestamp}", "event_time: event_timestamp, time_unit: s}"))
        done = self.train()
        self.assertEqual(done.code, 1, done)
        self.assertIn("are these milliseconds? declare time_unit: ms (now s)", done.err)

    def test_a_range_that_ends_before_it_begins_is_refused_also_where_its_end_is_now(self):
        self.shop()
        self.bad("materialize", "--from", "2026-01-03", "--to", "2026-01-02", says=["--from", "is empty"])
        self.bad("materialize", "--from", "2026-01-11", says=["--from", "is empty", "now"])
        self.assertEqual(self.good("runs", "--json").json, [])

    def test_a_max_age_shorter_than_the_age_of_the_data_is_told(self):
        self.shop(features=shop.FEATURES.replace("    features:\n      - orders", "    max_age: 1h\n    features:\n      - orders"))
        self.write("labels.csv", "customer_id,event_timestamp\n1,2026-01-09T00:00:00Z\n2,2026-01-09T00:00:00Z\n")
        done = self.train()
        self.assertEqual(done.code, 0, done)
        self.assertIn("older than", done.err)
        self.assertIn("max_age 1h", done.err)
        self.write("labels.csv", "customer_id,event_timestamp\n1,2026-01-09T00:00:00Z\n")
        self.assertIn("the only row of stats is older than its max_age 1h", self.train().err)
        self.assertIn("note: the newest row read is of 2026-01-03T00:00:00Z: beyond max_age 1h", self.good("materialize").out)
        [status] = self.good("status", "--json").json
        self.assertEqual(status["status"], "fresh")
        self.assertIn("beyond its max_age 1h: every value reads OUTSIDE_MAX_AGE", status["reason"])


class Places(shop.Shop):
    def test_outside_a_repository_it_says_where_it_looked_and_what_to_do(self):
        (self.path / "asof.yaml").unlink()
        for command in (["plan"], ["apply"], ["list", "views"], ["get", "churn", "customer_id=1"], ["serve"], ["status"]):
            self.bad(*command, says=[str(self.path / "asof.yaml"), "asof init"])

    def test_a_folder_that_does_not_exist_is_told(self):
        self.bad("-C", "nowhere", "plan", says="nowhere")

    def test_a_port_in_use_is_told(self):
        self.shop()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.bad("serve", "--port", port, says=[str(port), "in use"])

    def test_a_second_process_on_the_embedded_store_is_normal(self):
        self.shop()
        self.good("materialize")
        with repository.Server(self) as server:
            self.assertIn('"orders":2', self.good("get", "churn", "customer_id=1").out)
            self.good("materialize", "--full")
            self.good("verify")
            status, _, text = server.get("/v1/services/churn/features?customer_id=2")
            self.assertEqual(status, 200, text)
            self.assertEqual(json.loads(text)["features"]["orders"], 5)

    def test_the_memory_store_is_refused_where_it_would_be_lost(self):
        self.shop()
        self.write("asof.yaml", "project: shop\nonline: 'memory:'\n")
        for command in (["materialize"], ["get", "churn", "customer_id=1"], ["status"], ["verify"]):
            self.bad(*command, says=["memory:", "lmdb:"])
        with repository.Server(self) as server:
            status, _, text = server.get("/v1/services/churn/features?customer_id=1")
            self.assertEqual((status, json.loads(text)["features"]["orders"]), (200, 2), text)


class Changes(shop.Shop):
    def test_a_removed_feature_that_a_service_uses_is_an_error(self):
        self.shop()
        self.write("features/shop.yaml", shop.FEATURES.replace("      - category: string\n", ""))
        self.bad("plan", says=["category", "churn"])
        self.bad("apply", "--allow-delete", says=["category", "churn"])

    def test_a_column_that_left_the_file_is_found_at_plan_and_in_every_run(self):
        self.shop()
        self.good("materialize")
        self.parquet("data/stats.parquet", f"SELECT customer_id, event_timestamp, category FROM ({shop.STATS})")
        self.bad("plan", says=["orders"])
        done = self.train()
        self.assertEqual(done.code, 1, done)
        self.assertIn("orders", done.err)
        failed = self.asof("materialize")
        self.assertEqual(failed.code, 1, failed)
        self.assertIn("orders", failed.out + failed.err)
        # What was loaded is served on.
        self.assertIn('"orders":2', self.good("get", "churn", "customer_id=1").out)

    def test_removal_wants_allow_delete(self):
        self.shop()
        self.write("features/shop.yaml", shop.FEATURES[:shop.FEATURES.index("services:")])
        self.assertIn("- service", self.good("plan").out)
        self.bad("apply", says="--allow-delete")
        self.good("apply", "--allow-delete")
        self.assertEqual(self.good("list", "services", "--json").json, [])

    def test_an_old_revision_comes_back_as_a_new_one(self):
        self.shop()
        self.write("features/shop.yaml", shop.FEATURES.replace("    entity: customer\n    source", "    entity: customer\n    max_age: 9d\n    source"))
        plan = self.good("plan").out
        self.assertIn("max_age", plan)
        self.assertIn("~ view", plan)
        self.good("apply")
        self.good("rollback", "1")
        history = self.good("history", "--json").json
        self.assertEqual([entry["revision"] for entry in history], [3, 2, 1])
        self.assertTrue(all("@" in entry["by"] for entry in history), history)
        self.assertNotIn("max_age", self.good("show", "view", "stats", "--json").json)

    def test_plan_tells_by_its_exit_code_whether_there_are_changes(self):
        self.shop(apply=False)
        self.assertEqual(self.asof("plan", "--detailed-exitcode").code, 2)
        self.good("apply")
        self.assertEqual(self.asof("plan", "--detailed-exitcode").code, 0)


if __name__ == "__main__":
    repository.main()
