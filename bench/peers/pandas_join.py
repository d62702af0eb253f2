"""A point-in-time join by pandas: pandas_join.py FEATURES LABELS KEYS OUTPUT (KEYS with commas between)."""

import sys

import pandas

features, labels, keys, output = sys.argv[1:5]
keys = keys.split(",")
history = pandas.read_parquet(features).sort_values("event_timestamp")
spine = pandas.read_parquet(labels).sort_values("event_timestamp")
pandas.merge_asof(spine, history, on="event_timestamp", by=keys).to_parquet(output, compression="lz4")
