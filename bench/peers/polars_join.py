"""A point-in-time join by Polars: polars_join.py FEATURES LABELS KEYS OUTPUT (KEYS with commas between)."""

import sys

import polars

features, labels, keys, output = sys.argv[1:5]
keys = keys.split(",")
history = polars.scan_parquet(features).sort("event_timestamp")
spine = polars.scan_parquet(labels).sort("event_timestamp")
spine.join_asof(history, on="event_timestamp", by=keys, strategy="backward").sink_parquet(output, compression="lz4")
