"""The command line itself: help, exit codes, --json, init, and the documents about it."""

import json
import re
import subprocess

import repository
import shop

COMMANDS = ["init", "validate", "plan", "apply", "list", "show", "history", "rollback", "materialize", "materialize-incremental",
            "runs", "train", "get", "serve", "bench", "status", "verify", "schema", "doctor", "version"]


OPTION = re.compile(r"(?<![-\w])--[a-z][a-z-]+")


class Usage(repository.Repository):
    def test_every_command_has_help_with_examples(self):
        for command in COMMANDS:
            done = self.good(command, "--help")
            self.assertIn("Examples:", done.out)
            self.assertIn(f"asof {command}", done.out)
            self.assertEqual(done.err, "")
        listed = self.good("--help").out
        for command in COMMANDS:
            self.assertRegex(listed, rf"(?m)^  {command}\b")

    def test_every_command_and_option_is_documented(self):
        text = (repository.ROOT / "docs/cli.md").read_text()
        for command in COMMANDS:
            self.assertIn(f"asof {command}", text)
            for option in OPTION.findall(self.good(command, "--help").out):
                self.assertIn(option, text, command)

    def test_every_option_in_the_document_is_one_of_its_command(self):
        helps = {command: set(OPTION.findall(self.good(command, "--help").out)) for command in COMMANDS}
        general, *sections = re.split(r"(?m)^### ", (repository.ROOT / "docs/cli.md").read_text())
        everywhere = set(OPTION.findall(self.good("--help").out))
        self.assertLessEqual(set(OPTION.findall(general)), everywhere.union(*helps.values()))
        for section in sections:
            commands = [command for command in COMMANDS if f"asof {command}" in section]
            known = everywhere.union(*(helps[command] for command in commands))
            self.assertEqual(set(OPTION.findall(section)) - known, set(), commands)

    def test_the_help_of_a_command_tells_its_line_its_aliases_and_the_general_options(self):
        help_text = self.good("get", "--help").out
        self.assertIn("Usage: asof get [SERVICE key=value…] [options]\n", help_text)
        self.assertIn("Also:  asof get-online-features\n", help_text)
        for option in ("-C DIR", "--json", "--now T"):
            self.assertRegex(help_text, rf"(?m)^  {option} ")
        for command in COMMANDS:
            if command != "serve":
                self.assertNotRegex(self.good(command, "--help").out, r"\b(TEXT|U?INT|REQUIRED|Excludes)\b")

    def test_a_misspelt_command_or_option_is_named_with_the_nearest(self):
        self.bad("aply", code=2, says=["aply", "apply"])
        self.bad("train", "--lables", "x", code=2, says=["--lables", "--labels"])
        self.bad("materialize", "--ful", code=2, says=["--ful", "--full"])
        self.bad("init", "--template", "recomender", code=2, says="recommender")

    def test_options_that_do_not_go_together_are_told(self):
        self.bad("train", "--service", "x", code=2, says="--labels")
        self.bad("train", "--labels", "x", code=2, says="--service")
        self.bad("train", "--labels", "x", "--service", "s", "--as-of", "then", code=2, says=["then", "known"])
        self.bad("train", "--all-entities", "--service", "s", code=2, says="--at")
        self.bad("get", code=2, says="SERVICE")
        self.bad("get", "churn", "--features", "stats:orders", "customer_id=1", code=2, says=["churn", "--features"])
        self.bad("list", "veiws", code=2, says=["veiws", "views"])

    def test_a_number_that_means_nothing_is_told(self):
        for command in (["runs", "--limit"], ["verify", "--sample"], ["train", "--preview"], ["rollback"]):
            for text in ("0", "-1", "3x", "18446744073709551615"):
                done = self.bad(*command, text, code=2, says=[f"'{text}' is no whole number from 1 up"])
                self.assertIn("REVISION" if command == ["rollback"] else command[-1], done.err)

    def test_without_a_command_it_prints_help_and_fails_as_usage(self):
        done = self.asof()
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn("asof init", done.err)

    def test_an_error_is_a_document_too(self):
        document = self.bad("plan", "--json", says="asof.yaml").json
        self.assertEqual(document["error"]["code"], "not_found")
        self.assertIn("asof init", document["error"]["hint"])
        for words in (["aply"], ["plan", "--detailled"], ["runs", "--limit", "x"], ["runs", "--limit"], ["get"], ["list", "veiws"], []):
            self.assertEqual(self.bad("--json", *words, code=2).json["error"]["code"], "invalid", words)

    def test_results_that_cannot_be_written_are_a_failure(self):
        for words in (["version"], ["version", "--json"], ["--help"], ["schema"]):
            with open("/dev/full", "w") as full:
                process = subprocess.run([repository.PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(process.returncode, 1, words)
            self.assertIn("No space left on device", process.stderr)

    def test_version_is_told_in_both_forms(self):
        text = self.good("version").out
        document = self.good("--json", "version").json
        self.assertTrue(text.startswith(f"asof {document['version']}\n"))
        self.assertEqual(self.good("--version").out, text)
        self.assertEqual(self.good("--version", "--json").json, document)
        self.assertEqual(self.good("--json", "--version").json, document)
        self.assertEqual(document["online"], ["lmdb", "memory", "redis", "sqlite"])

    def test_schemas_are_json(self):
        self.assertIn("$schema", json.loads(self.good("schema").out))
        self.assertIn("$schema", json.loads(self.good("schema", "project").out))


class Init(repository.Repository):
    def test_each_template_is_valid_and_applies_at_once(self):
        for name in ("recommender", "fraud", "benchmark", "empty"):
            self.good("init", name, "--template", name)
            self.good("-C", name, "validate")
            plan = self.good("-C", name, "plan", "--json").json
            self.assertEqual(plan["errors"], [])
            self.assertEqual(plan["notices"], [], "a template has nothing to explain away")
            self.good("-C", name, "apply")

    def test_its_data_are_of_today(self):
        self.good("init", "demo")
        self.good("-C", "demo", "apply")
        self.good("-C", "demo", "materialize")
        status = self.good("-C", "demo", "status", "--check", "--json").json
        self.assertEqual({view["status"] for view in status}, {"fresh"})
        self.assertTrue(all(view["event_age_hours"] < 2 for view in status), status)

    def test_does_not_write_over_a_repository(self):
        self.good("init", "--template", "empty")
        self.bad("init", says="already there")

    def test_drafts_a_view_from_parquet_that_works_and_says_what_it_guessed(self):
        self.parquet("events/Customer Stats.parquet", f"""SELECT customer_id, event_timestamp, event_timestamp + INTERVAL 1 HOUR AS created_at,
                     orders, category AS "Favourite Category", [1.5, 2.5]::FLOAT[] AS embedding, {{'a': 1}} AS odd FROM ({shop.STATS})""")
        out = self.good("init", "mine", "--from", "events/Customer Stats.parquet").out
        for words in ("customer_id", "event_timestamp", "created_at"):
            self.assertIn(words, out)
        text = (self.path / "mine/features/customer_stats.yaml").read_text()
        self.assertIn("known_time: created_at", text)
        self.assertIn("# - odd", text)
        self.good("-C", "mine", "apply")
        self.good("-C", "mine", "materialize")
        done = self.good("-C", "mine", "get", "customer_stats_v1", "customer_id=1", "--json")
        self.assertEqual(done.json["rows"][0]["features"],
                         {"orders": 2, "favourite_category": "toys", "embedding": [1.5, 2.5]})

    def test_drafts_a_view_from_csv(self):
        self.write("visits.csv", "user_id,seen_at,page\nu1,2026-01-01T00:00:00Z,home\nu2,2026-01-02T00:00:00Z,cart\n")
        self.good("init", "mine", "--from", "visits.csv")
        self.good("-C", "mine", "apply")
        self.good("-C", "mine", "materialize")
        self.assertIn('"page":"cart"', self.good("-C", "mine", "get", "visits_v1", "user_id=u2").out)

    def test_a_file_without_a_time_cannot_be_drafted_and_says_why(self):
        self.write("users.csv", "user_id,page\nu1,home\n")
        self.bad("init", "mine", "--from", "users.csv", says=["no column of users.csv is a time", "page"])
        self.bad("init", "mine", "--from", "nothing.parquet",
                 says="--from: cannot read 'nothing.parquet': No such file or directory")

    def test_a_folder_that_cannot_be_written_is_told_with_the_reason(self):
        self.write("file", "")
        self.bad("init", "file/mine", "--template", "empty", says=["file/mine", "Not a directory"])

    def test_a_path_from_the_root_stays_one_and_a_glob_is_named_after_its_folder(self):
        rows = "user_id,ts,page\nu1,1767225600000,home\nu2,1767312000000,cart\n"
        self.write("visits/1.csv", rows)
        self.good("init", "mine", "--from", self.path / "visits/*.csv")
        self.assertIn(f"{self.path}/visits/*.csv", (self.path / "mine/features/visits.yaml").read_text())
        self.good("-C", "mine", "apply")
        self.good("-C", "mine", "materialize")
        self.assertIn('"page":"cart"', self.good("-C", "mine", "get", "visits_v1", "user_id=u2").out)


class Catalogue(shop.Shop):
    def test_shows_lineage_both_ways(self):
        self.shop()
        shown = self.good("show", "feature", "stats:orders", "--json").json
        self.assertIn({"kind": "service", "name": "churn"}, shown["downstream"])
        self.assertTrue(any("data/stats.parquet" in node["name"] for node in shown["upstream"]), shown)
        self.assertIn("churn", self.good("show", "entity", "customer").out)

    def test_lists_every_kind(self):
        self.shop()
        self.good("materialize")
        for kind in ("entities", "sources", "views", "features", "services", "runs"):
            self.assertTrue(self.good("list", kind, "--json").json, kind)
            self.assertGreaterEqual(len(self.good("list", kind).out.splitlines()), 2, kind)
        [run] = self.good("runs", "--view", "stats", "--json").json
        self.assertIn("succeeded", self.good("show", "run", run["id"]).out)
        self.bad("runs", "--view", "stat", says="stats")

    def test_doctor_finds_what_is_wrong(self):
        self.shop()
        self.good("materialize")
        self.good("doctor")
        (self.path / "data/stats.parquet").unlink()
        done = self.asof("doctor")
        self.assertEqual(done.code, 1, done)
        self.assertIn("stats", done.out)

    def test_doctor_reaches_the_online_store_and_tells_no_password(self):
        self.shop()
        self.write("asof.yaml", f"project: shop\nonline: redis://:opensesame@127.0.0.1:{repository.free_port()}/0\n")
        done = self.asof("doctor")
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.out, r"(?m)^FAIL +online store +redis at 127.0.0.1")
        self.assertNotIn("opensesame", done.out + done.err)

    def test_status_check_fails_where_a_view_was_never_loaded(self):
        self.shop()
        self.assertEqual(self.asof("status", "--check").code, 1)
        self.good("materialize")
        self.good("status", "--check")
        self.assertEqual(self.asof("status", "--check", "--max-age", "1h", "--now", "2026-01-10T02:00:00Z").code, 1)

    def test_more_differences_than_are_shown_are_counted(self):
        many = "SELECT i AS customer_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp, i AS orders, 'x' AS category FROM range(100) t(i)"
        self.shop(stats=many)
        self.good("materialize")
        for path in (self.path / ".asof/online").iterdir():
            path.unlink()
        done = self.asof("verify")
        self.assertIn("20 of 100 differences shown.", done.out)
        self.assertIn("100 differences in 100 keys.", done.out)

    def test_a_promise_is_shown_as_it_was_given_and_a_short_run_in_milliseconds(self):
        self.shop(features=shop.FEATURES.replace("    features:\n      - orders", "    freshness: 1h\n    features:\n      - orders"))
        self.good("materialize")
        self.assertRegex(self.good("status").out, r"(?m)^stats .* 1h +2 ")
        self.assertRegex(self.good("runs").out, r"(?m)^ +1  stats .* \d+ ms$")

    def test_a_lost_online_store_is_told_and_loaded_again(self):
        self.shop()
        self.good("materialize")
        for path in (self.path / ".asof/online").iterdir():
            path.unlink()
        self.bad("get", "churn", "customer_id=1", says="materialize")
        done = self.asof("verify")
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.out, r"\Astats: the online store is empty.*; run `asof materialize stats`\n")
        doctor = self.asof("doctor", "--json")
        self.assertEqual(doctor.code, 1, doctor)
        self.assertEqual([check["check"] for check in doctor.json["checks"] if not check["ok"]], ["view stats"])
        self.assertNotIn("loaded data", doctor.out)
        self.good("materialize")
        self.good("verify")
        self.assertIn('"orders":2', self.good("get", "churn", "customer_id=1").out)


class Train(shop.Shop):
    def test_what_explain_says_is_what_is_read(self):
        self.shop()
        explained = self.good("train", "--labels", "labels.csv", "--service", "churn", "--explain", "--json").json
        self.assertEqual(explained["label_rows"], 2)
        self.assertEqual([view["view"] for view in explained["views"]], ["stats"])
        report = self.good("train", "--labels", "labels.csv", "--service", "churn", "--json").json
        self.assertEqual(report["preview"][0], explained["output_columns"])

    def test_the_proof_names_the_rows_that_were_used(self):
        self.shop()
        done = self.good("train", "--labels", "labels.csv", "--service", "churn")
        self.assertIn("0 of 2 rows use a value from the future.", done.out)
        self.assertRegex(done.out, r"Row 1, as of 2026-01-02T00:00:00Z:\n  stats  from 2026-01-01T00:00:00Z\n")

    def test_what_was_not_written_is_said_and_a_manifest_is_readable(self):
        self.shop()
        done = self.good("train", "--labels", "labels.csv", "--service", "churn")
        self.assertIn("nothing was written: add -o", done.err)
        done = self.good("train", "--labels", "labels.csv", "--service", "churn", "-o", "train.parquet")
        self.assertNotIn("nothing was written", done.err)
        shown = self.good("show", "dataset", "train.parquet").out
        self.assertRegex(shown, r"(?m)^asof.definitions +entities: 1, .*views: 1")
        self.assertRegex(shown, r"(?m)^asof.features +orders, category$")
        self.assertRegex(shown, r"(?m)^asof.sources +data/stats.parquet$")

    def test_a_wide_view_is_shown_in_part_and_written_whole(self):
        columns = [f"f{i:02}" for i in range(20)]
        self.shop("SELECT 1::BIGINT AS customer_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp, "
                  + ", ".join(f"{i}::BIGINT AS {name}" for i, name in enumerate(columns)),
                  shop.FEATURES[:shop.FEATURES.index("      - orders")] + "".join(f"      - {name}: int64\n" for name in columns)
                  + "services:\n  - name: churn\n    features: [stats]\n")
        done = self.good("train", "--labels", "labels.csv", "--service", "churn", "--preview", "1", "-o", "train.parquet")
        lines = done.out.splitlines()
        self.assertEqual(lines[0].split()[-2:], ["f14", "f15"])
        self.assertEqual(lines[2], "… 1 more row, 4 more features")
        self.assertEqual(self.sql("SELECT f00, f19 FROM 'train.parquet' WHERE customer_id = 1"), [["0", "19"]])
        whole = self.good("train", "--labels", "labels.csv", "--service", "churn", "--json").json
        self.assertEqual(whole["preview"][1][-1], "19")

    def test_all_entities_give_one_row_a_key(self):
        self.shop()
        self.good("train", "--all-entities", "--at", "2026-01-10", "--service", "churn", "--status", "-o", "all.csv")
        self.assertEqual(self.sql("SELECT customer_id, orders, orders__status FROM 'all.csv' ORDER BY 1"),
                         [["1", "2", "PRESENT"], ["2", "5", "PRESENT"]])

    def test_labels_may_be_a_query(self):
        self.shop()
        report = self.good("get-historical-features", "--labels", "SELECT * FROM 'labels.csv' WHERE customer_id = 1",
                           "--features", "stats:orders", "--json").json
        self.assertEqual((report["rows"], report["preview"][1][-1]), (1, "1"))


if __name__ == "__main__":
    repository.main()
