"""The fraud template: the same customer at two times gives two different rows."""

import repository

FEATURES = ["purchase_count_30d", "avg_order_value", "txn_amount_zscore", "merchant_risk_score"]


class Fraud(repository.Repository):
    def setUp(self):
        super().setUp()
        self.good("init", "--template", "fraud")
        self.good("apply")

    def train(self, *more):
        self.good("train", "--labels", "data/labels.parquet", "--service", "fraud_detection_v2", "-o", "train.parquet", *more)
        return self.sql(f"SELECT customer_id, {', '.join(FEATURES)} FROM 'train.parquet'")

    def test_has_at_most_six_files(self):
        files = [p for p in self.path.rglob("*") if p.is_file() and ".asof" not in p.parts]
        self.assertLessEqual(len(files), 6, files)

    def test_keeps_the_labels_in_their_order_with_all_their_columns(self):
        self.train()
        rows = self.sql("SELECT customer_id, is_fraud FROM 'train.parquet'")
        self.assertEqual(rows, [["1001", "false"], ["1002", "false"], ["1003", "true"], ["1001", "true"]])

    def test_gives_one_customer_two_rows_at_two_times(self):
        first, _, _, last = self.train()
        self.assertEqual((first[0], last[0]), ("1001", "1001"))
        self.assertNotEqual(first[1:3], last[1:3])
        self.assertNotIn("\\N", first[1:3])
        self.assertNotIn("\\N", last[1:3])

    def test_agrees_with_a_join_written_by_hand(self):
        rows = self.train()
        by_hand = self.sql(
            """SELECT l.customer_id, s.purchase_count_30d, s.avg_order_value, t.txn_amount_zscore, t.merchant_risk_score
               FROM 'data/labels.parquet' l
               LEFT JOIN LATERAL (SELECT * FROM 'data/customer_stats.parquet' c
                                  WHERE c.customer_id = l.customer_id AND greatest(event_timestamp, created) <= l.event_timestamp
                                    AND event_timestamp >= l.event_timestamp - INTERVAL 1 DAY
                                  ORDER BY event_timestamp DESC, created DESC LIMIT 1) s ON true
               LEFT JOIN LATERAL (SELECT * FROM 'data/transaction_stats.parquet' c
                                  WHERE c.customer_id = l.customer_id AND greatest(event_timestamp, created) <= l.event_timestamp
                                    AND event_timestamp >= l.event_timestamp - INTERVAL 1 DAY
                                  ORDER BY event_timestamp DESC, created DESC LIMIT 1) t ON true
               ORDER BY l.event_timestamp""")
        self.assertEqual(sorted(rows), sorted(by_hand))

    def test_is_served_as_it_is_trained(self):
        self.good("materialize")
        now = self.good("get", "fraud_detection_v2", "customer_id=1001", "--json").json["rows"][0]
        self.assertEqual(now["customer_id"], 1001)
        self.assertEqual(list(now["features"]), FEATURES)
        self.assertIsNotNone(now["features"]["purchase_count_30d"])
        verified = self.good("verify", "--json").json
        self.assertEqual([view["differences"] for view in verified], [0, 0])
        self.assertTrue(all(view["keys_compared"] == 1000 for view in verified), verified)

    def test_shows_team_and_owner(self):
        view = self.good("show", "view", "customer_stats", "--json").json
        self.assertEqual(set(view["tags"]), {"team", "owner"})


if __name__ == "__main__":
    repository.main()
