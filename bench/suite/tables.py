"""The generated tables and the repositories over them. Everything follows from hashes of row numbers: the same on every machine,
made once and kept in the output folder, under a name that says what it is."""

import json
import pathlib
import shutil
from dataclasses import dataclass

from suite import process

BASE = "TIMESTAMP '2026-01-01 00:00:00'"
SPAN_MS = 7_776_000_000  # 90 days
FEATURES = ("f1", "f2", "f3", "f4", "f5")

# How a user is told: the columns of the key, each with its type and its expression over `u`, the user's number.
KEYS = {
    "int64": [("user_id", "int64", "u::BIGINT")],
    "string": [("user_id", "string", "'user-' || u::VARCHAR")],
    "composite": [("tenant", "string", "'tenant-' || (u % 100)::VARCHAR"), ("user_id", "int64", "u::BIGINT")],
}


@dataclass(frozen=True)
class Shape:
    """Feature rows: how many, of how many users, in which order ("random" or "ascending" time), codec and key."""

    rows: int
    users: int = 1_000_000
    order: str = "random"
    codec: str = "zstd"
    key: str = "int64"
    known: bool = False  # whether a known_at column is declared

    @property
    def name(self):
        known = "_known" if self.known else ""
        return f"features_{count_name(self.rows)}_{count_name(self.users)}_{self.order}_{self.codec}_{self.key}{known}"


def count_name(n):
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if n % size == 0 and n >= size:
            return f"{n // size}{unit}"
    return str(n)


class Tables:
    def __init__(self, out, tools, asof):
        self.out = out
        self.tools = tools
        self.asof = asof
        self.data = out / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.used = set()  # the files of this run

    def sql(self, *statements):
        return process.run([self.tools / "bench_sql", *statements])

    def _make(self, name, select, options):
        path = self.data / f"{name}.parquet"
        if not path.exists():
            part = path.with_suffix(".part")
            self.sql(f"COPY ({select}) TO '{part}' (FORMAT parquet, {options})")
            part.rename(path)
        self.used.add(path)
        return path

    def features(self, shape):
        time = (f"to_microseconds((hash(i + 1000000000) % {SPAN_MS})::BIGINT * 1000)" if shape.order == "random"
                else f"to_microseconds((i * {SPAN_MS * 1000 // shape.rows})::BIGINT)")
        keys = ", ".join(f"{expression} AS {name}" for name, _, expression in KEYS[shape.key])
        known = ", event_timestamp + to_seconds(hash(i + 6) % 7200) AS known_at" if shape.known else ""
        return self._make(shape.name, f"""SELECT {keys}, event_timestamp{known},
            (hash(i + 1) % 1000)::BIGINT AS f1, (hash(i + 2) % 100000)::BIGINT / 1000.0 AS f2,
            (hash(i + 3) % 50)::BIGINT AS f3, (hash(i + 4) % 1000000)::BIGINT / 7.0 AS f4,
            (hash(i + 5) % 1000000)::BIGINT AS f5
            FROM (SELECT i, hash(i) % {shape.users} AS u, {BASE} + {time} AS event_timestamp
                  FROM range({shape.rows}) t(i))""", f"COMPRESSION {shape.codec}")

    def labels(self, rows, users=1_000_000, key="int64"):
        keys = ", ".join(f"{expression} AS {name}" for name, _, expression in KEYS[key])
        return self._make(f"labels_{count_name(rows)}_{count_name(users)}_{key}", f"""SELECT {keys},
            {BASE} + to_microseconds((hash(i + 8000000000) % {SPAN_MS})::BIGINT * 1000) AS event_timestamp,
            (i % 2)::INTEGER AS label
            FROM (SELECT i, hash(i + 7000000000) % {users} AS u FROM range({rows}) t(i))""", "COMPRESSION zstd")

    def wide(self, views, columns, rows=100_000, users=20_000):
        """`views` files of `columns` float32 columns each."""
        paths = []
        for view in range(views):
            first = view * columns
            cells = ", ".join(f"(hash(i * 1000 + {n}) % 1000000 / 1e6)::FLOAT AS w{n}" for n in range(first, first + columns))
            paths.append(self._make(f"wide_{view}of{views}", f"""SELECT (hash(i) % {users})::BIGINT AS user_id,
                {BASE} + to_microseconds((hash(i + 1000000000) % {SPAN_MS})::BIGINT * 1000) AS event_timestamp, {cells}
                FROM range({rows}) t(i)""", "COMPRESSION zstd"))
        return paths

    def online(self, users, views, per_view):
        """One row a user: `views` times `per_view` columns c0 …, half int64, half doubles of six decimals."""
        cells = ", ".join(
            f"(hash(i + {n}) % 1000000)::BIGINT AS c{n}" if n % 2 == 0 else
            f"(hash(i + {n}) % 1000000000)::BIGINT / 1000000.0 AS c{n}" for n in range(views * per_view))
        return self._make(f"online_{count_name(users)}_{views}x{per_view}",
                          f"SELECT i::BIGINT AS user_id, {BASE} AS event_timestamp, {cells} FROM range({users}) t(i)",
                          "COMPRESSION zstd")

    def describe_used(self):
        """The files of this run as their own footers tell: rows, columns, row groups and codecs."""
        if not self.used:
            return []
        files = "[" + ", ".join(f"'{path}'" for path in sorted(self.used)) + "]"
        told = self.out / "files.json"
        self.sql(f"""COPY (SELECT parse_filename(file_name) AS name, any_value(num_rows) AS rows, count(DISTINCT path_in_schema) AS columns,
            any_value(num_row_groups) AS row_groups, string_agg(DISTINCT compression, ', ') AS codec
            FROM parquet_metadata({files}) JOIN parquet_file_metadata({files}) USING (file_name) GROUP BY name ORDER BY name)
            TO '{told}' (FORMAT json, ARRAY true)""")
        return [{**file, "megabytes": round((self.data / file["name"]).stat().st_size / 1e6, 1)} for file in json.loads(told.read_text())]

    # --- repositories -------------------------------------------------------------------------------------------

    def repository(self, name, online, definitions):
        """A fresh repository with these definitions, applied."""
        path = self.out / "repositories" / name
        shutil.rmtree(path, ignore_errors=True)
        (path / "features").mkdir(parents=True)
        (path / "asof.yaml").write_text(f"project: bench\nonline: {online}\n")
        (path / "features" / "bench.yaml").write_text(definitions)
        process.run([self.asof, "-C", path, "apply"])
        return path

    def table_repository(self, name, shape, online="lmdb:.asof/online"):
        keys = ", ".join(f"{{name: {name}, type: {kind}}}" for name, kind, _ in KEYS[shape.key])
        known = ", known_time: known_at" if shape.known else ""
        return self.repository(name, online, f"""entities:
  - {{name: user, join_keys: [{keys}]}}
views:
  - name: stats
    entity: user
    source: {{path: {self.features(shape)}, event_time: event_timestamp{known}}}
    features: [{{f1: int64}}, {{f2: float64}}, {{f3: int64}}, {{f4: float64}}, {{f5: int64}}]
services:
  - {{name: model, features: [stats]}}
""")

    def wide_repository(self, views, columns):
        text = "entities:\n  - {name: user, join_keys: [{name: user_id, type: int64}]}\nviews:\n"
        for view, path in enumerate(self.wide(views, columns)):
            features = ", ".join(f"{{w{n}: float32}}" for n in range(view * columns, (view + 1) * columns))
            text += (f"  - name: v{view}\n    entity: user\n    source: {{path: {path}, event_time: event_timestamp}}\n"
                     f"    features: [{features}]\n")
        text += f"services:\n  - {{name: model, features: [{', '.join(f'v{v}' for v in range(views))}]}}\n"
        return self.repository(f"wide{views}", "lmdb:.asof/online", text)

    def online_repository(self, name, online, users=100_000, views=20, per_view=10, materialize=True):
        """Views v0 … of ten features each, and services of the shapes that are measured, materialized."""
        source = self.online(users, views, per_view)
        text = "entities:\n  - {name: user, join_keys: [{name: user_id, type: int64}]}\nviews:\n"
        for view in range(views):
            features = ", ".join(f"{{c{n}: {'int64' if n % 2 == 0 else 'float64'}}}"
                                 for n in range(view * per_view, (view + 1) * per_view))
            text += (f"  - name: v{view}\n    entity: user\n    source: {{path: {source}, event_time: event_timestamp}}\n"
                     f"    features: [{features}]\n")
        text += "services:\n  - {name: three, features: ['v0:c0', 'v0:c1', 'v0:c2']}\n"
        for size in sorted({1, min(5, views), views}):
            text += f"  - {{name: f{size * per_view}, features: [{', '.join(f'v{v}' for v in range(size))}]}}\n"
        path = self.repository(name, online, text)
        if materialize and online != "memory:":  # which its server loads itself
            process.run([self.asof, "-C", path, "materialize"])
        return path


def folder_mb(path):
    return sum(file.stat().st_blocks * 512 for file in pathlib.Path(path).rglob("*") if file.is_file()) / 1e6
