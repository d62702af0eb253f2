"""A small repository that the tests break in all the ways that newcomers do."""

import repository

PROJECT = "project: shop\n"
FEATURES = """\
entities:
  - name: customer
    join_keys: {customer_id: int64}
views:
  - name: stats
    entity: customer
    source: {path: data/stats.parquet, event_time: event_timestamp}
    features:
      - orders: int64
      - category: string
services:
  - name: churn
    features: ["stats:orders", "stats:category"]
"""
STATS = """\
SELECT * FROM (VALUES
  (1, TIMESTAMPTZ '2026-01-01 00:00:00Z', 1::BIGINT, 'books'),
  (1, TIMESTAMPTZ '2026-01-03 00:00:00Z', 2::BIGINT, 'toys'),
  (2, TIMESTAMPTZ '2026-01-02 00:00:00Z', 5::BIGINT, NULL)) t(customer_id, event_timestamp, orders, category)"""
LABELS = "customer_id,event_timestamp\n1,2026-01-02T00:00:00Z\n2,2026-01-05T00:00:00Z\n"


class Shop(repository.Repository):
    def setUp(self):
        super().setUp()
        self.write("asof.yaml", PROJECT)
        self.write("labels.csv", LABELS)
        self.env = {"ASOF_NOW": "2026-01-10T00:00:00Z"}

    def shop(self, stats: str = STATS, features: str = FEATURES, apply: bool = True):
        self.parquet("data/stats.parquet", stats)
        self.write("features/shop.yaml", features)
        if apply:
            self.good("apply")

    def train(self, *more, labels="labels.csv"):
        return self.asof("train", "--labels", labels, "--service", "churn", *more)
