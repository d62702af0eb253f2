"""What the suite has Feast do:

    feast_peer.py apply REPOSITORY REDIS_PORT SERVED LOADED   views over two files of tables.online(): v0 … of SERVED, `loaded` of LOADED
    feast_peer.py materialize REPOSITORY VIEWS                VIEWS with commas between; all online
    feast_peer.py join FEATURES LABELS OUTPUT                 get_historical_features with the DuckDB offline store, to Parquet

Prints the seconds that Feast's own call took: what is left of the process is mostly the import of feast.
"""

import datetime
import pathlib
import sys
import tempfile
import time

import pyarrow.parquet
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Float64, Int64
from feast.value_type import ValueType

CONFIG = """project: bench
provider: local
registry: {repository}/registry.db
online_store: {online}
offline_store: {{type: duckdb}}
entity_key_serialization_version: 3
"""
USER = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
PER_VIEW = 10


def open_store(repository, online):
    path = pathlib.Path(repository)
    path.mkdir(parents=True, exist_ok=True)
    (path / "feature_store.yaml").write_text(CONFIG.format(repository=path.resolve(), online=online))
    return FeatureStore(repo_path=str(path))


def columns(path):
    schema = pyarrow.parquet.read_schema(path)
    return [Field(name=field.name, dtype=Int64 if field.type == "int64" else Float64)
            for field in schema if field.name not in ("user_id", "event_timestamp")]


def view(name, path, fields):
    source = FileSource(name=f"{name}_source", path=str(path), timestamp_field="event_timestamp")
    return FeatureView(name=name, entities=[USER], schema=[Field(name="user_id", dtype=Int64), *fields], source=source,
                       ttl=datetime.timedelta(0))


def apply(repository, port, served, loaded):
    store = open_store(repository, f"{{type: redis, connection_string: '127.0.0.1:{port}'}}")
    fields = columns(served)
    views = [view(f"v{n // PER_VIEW}", served, fields[n:n + PER_VIEW]) for n in range(0, len(fields), PER_VIEW)]
    store.apply([USER, *views, view("loaded", loaded, columns(loaded))])


def materialize(repository, views):
    store = FeatureStore(repo_path=repository)
    started = time.monotonic()
    store.materialize(datetime.datetime(2020, 1, 1), datetime.datetime(2030, 1, 1), feature_views=views.split(","))
    return time.monotonic() - started


def join(features, labels, output):
    with tempfile.TemporaryDirectory() as repository:
        store = open_store(repository, f"{{type: sqlite, path: {repository}/online.db}}")
        fields = columns(features)
        store.apply([USER, view("stats", features, fields)])
        started = time.monotonic()
        spine = pyarrow.parquet.read_table(labels).to_pandas()
        spine["event_timestamp"] = spine["event_timestamp"].dt.tz_localize("UTC")
        joined = store.get_historical_features(entity_df=spine, features=[f"stats:{field.name}" for field in fields]).to_arrow()
        pyarrow.parquet.write_table(joined, output)
        return time.monotonic() - started


def main():
    command, *arguments = sys.argv[1:]
    seconds = {"apply": apply, "materialize": materialize, "join": join}[command](*arguments)
    print(f"CALL {seconds or 0:.3f}")


if __name__ == "__main__":
    main()
