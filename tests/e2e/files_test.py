"""Files as they really are: torn, empty, of the wrong kind, unreadable."""

import os

import repository
import shop


class Files(shop.Shop):
    def both(self, *says):
        """plan, train and materialize all fail and say this."""
        for done in (self.asof("plan"), self.train(), self.asof("materialize")):
            self.assertEqual(done.code, 1, done)
            for words in says:
                self.assertIn(words, done.out + done.err, done)

    def replace(self, content: bytes):
        (self.path / "data/stats.parquet").write_bytes(content)

    def test_a_truncated_parquet_is_named(self):
        self.shop()
        whole = (self.path / "data/stats.parquet").read_bytes()
        self.replace(whole[: len(whole) // 2])
        self.both("data/stats.parquet")

    def test_a_zero_byte_file_is_an_error(self):
        self.shop()
        self.replace(b"")
        self.both("data/stats.parquet")

    def test_a_parquet_without_rows_is_fine(self):
        self.shop(stats=f"{shop.STATS} LIMIT 0")
        self.assertEqual(self.train().code, 0)
        self.good("materialize")
        self.good("verify")
        self.assertIn('"orders":null', self.good("get", "churn", "customer_id=1").out)

    def test_a_directory_in_place_of_a_file_is_told(self):
        self.shop()
        (self.path / "data/stats.parquet").unlink()
        (self.path / "data/stats.parquet").mkdir()
        self.both("data/stats.parquet")

    def test_a_file_that_is_gone_is_told(self):
        self.shop()
        (self.path / "data/stats.parquet").unlink()
        self.both("data/stats.parquet")

    def test_a_file_that_may_not_be_read_is_told(self):
        self.shop()
        path = self.path / "data/stats.parquet"
        path.chmod(0)
        user = None
        if os.geteuid() == 0:  # root may read everything: somebody else tries
            user = 65534
            os.chmod(self.path, 0o755)
            for folder, _, files in os.walk(self.path):
                for name in [folder, *(os.path.join(folder, file) for file in files)]:
                    os.chown(name, user, user)
            try:
                repository.run("version", user=user)
            except PermissionError:
                raise repository.missing("another user may not run the program where it stands") from None
        done = repository.run("plan", cwd=self.path, env=self.env, user=user)
        self.assertEqual(done.code, 1, done)
        self.assertIn("data/stats.parquet", done.err)

    def test_a_torn_file_among_others_does_not_stop_them(self):
        parts = shop.FEATURES.replace("data/stats.parquet", "data/parts/*.parquet")
        self.write("features/shop.yaml", parts)
        self.parquet("data/parts/a.parquet", shop.STATS)
        self.good("apply")
        whole = (self.path / "data/parts/a.parquet").read_bytes()
        (self.path / "data/parts/b.parquet").write_bytes(whole[: len(whole) // 2])
        done = self.asof("materialize")
        self.assertEqual(done.code, 1, done)
        self.assertIn("partial", done.out)
        self.assertIn("b.parquet", done.out)
        self.assertIn('"orders":2', self.good("get", "churn", "customer_id=1").out)
        # Repaired, it is read by the next run.
        self.parquet("data/parts/b.parquet",
                     "SELECT 9 AS customer_id, TIMESTAMPTZ '2026-01-04 00:00:00Z' AS event_timestamp, 7::BIGINT AS orders, 'new' AS category")
        self.good("materialize")
        self.assertIn('"orders":7', self.good("get", "churn", "customer_id=9").out)
        self.good("verify")

    def test_definitions_that_are_no_yaml_are_told_with_their_line(self):
        self.shop(apply=False)
        self.write("features/broken.yaml", "entities:\n  - name: [\n")
        self.bad("validate", says="features/broken.yaml:")

    def test_a_folder_in_place_of_asof_yaml_is_told(self):
        (self.path / "asof.yaml").unlink()
        (self.path / "asof.yaml").mkdir()
        self.bad("plan", says="directory")

    def test_a_mistake_in_asof_yaml_is_told_with_its_line(self):
        self.write("asof.yaml", "project: shop\nonlin: 'lmdb:x'\n")
        self.bad("plan", says=["asof.yaml:2", "onlin", "online"])

    def test_an_unknown_store_is_told_with_the_known_ones(self):
        self.shop()
        self.write("asof.yaml", "project: shop\nonline: lmbd:.asof/online\n")
        self.bad("materialize", says=["lmbd", "lmdb"])

    def test_strings_of_a_megabyte_go_all_the_way(self):
        self.shop(stats="SELECT 1 AS customer_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp, 1::BIGINT AS orders, "
                        "repeat('x', 1000000) AS category")
        self.good("materialize")
        row = self.good("get", "churn", "customer_id=1", "--json").json["rows"][0]
        self.assertEqual(row["features"]["category"], "x" * 1_000_000)
        self.good("verify")

    def test_a_training_file_says_whether_its_definitions_have_moved(self):
        self.shop()
        self.assertEqual(self.train("-o", "train.parquet").code, 0)
        self.assertIn("still", self.good("show", "dataset", "train.parquet").out)
        self.write("features/shop.yaml", shop.FEATURES.replace("    entity: customer\n    source", "    entity: customer\n    max_age: 9d\n    source"))
        self.good("apply")
        moved = self.good("show", "dataset", "train.parquet", "--json").json
        self.assertTrue(any("stats" in what for what in moved["moved"]), moved)

    def test_a_training_file_that_cannot_be_written_is_told(self):
        self.shop()
        done = self.train("-o", "nowhere/train.parquet")
        self.assertEqual(done.code, 1, done)
        self.assertIn("nowhere", done.err)
        done = self.train("-o", "train.xlsx")
        self.assertEqual(done.code, 1, done)
        self.assertIn(".parquet", done.err)


if __name__ == "__main__":
    repository.main()
