"""The report: Markdown and JSON, pictures, and the tables of the documents that are made from it."""

import json
import math
import pathlib
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLOURS = {"asof": "#2a6fdb", "duckdb": "#d08a00", "scan": "#888888", "echo": "#888888", "polars": "#b03060", "pandas": "#4d7c0f"}

MET = {True: "yes", False: "NO", None: ""}  # None: nothing was asked

PAGE = """# Benchmarks

What `make bench-full` prints, on the machine that it names; `make bench` is the part of it that takes minutes. Each line has the
command behind it; the peers run in the same run, interleaved, because machines are noisy: read the ratios, not the seconds. Wall time
and peak memory are those of whole processes, start-up and output included; the load generators share the cores with the server.

{machine}

{head}
{rows}

{pictures}- Seconds are wall time, best of the runs; CPU is user and system time of that run; memory the largest peak of all runs.
- The tables: rows of five features in random order, ZSTD Parquet, and 1 M labels, unless a line says otherwise. DuckDB's line is its own
  `ASOF LEFT JOIN` of the same library, Parquet to Parquet, which may break ties as it likes and knows no known times. A scan reads the
  same columns of the same file with DuckDB and sums them. All tools write their results under one codec, raw LZ4, which is
  asof's default, and in encodings of their own choice.
- Serving: 100,000 users, twenty views of ten features; bodies of random users. The echo server is the leanest that we can write: one
  thread a core, epoll, the body back. An open loop sends on a fixed timetable and counts a latency from the instant the request was
  due, so that a stalled server is charged for those that had to wait.
- Ten minutes at 80 %: of what the same server could take a second before, as the machine's own speed changes by more than the other
  20 %. Servers just started show, in the same minutes, what is the machine's. The worst second is one in which a request came to take so
  much more CPU than when the rate was set that the server's core had no idle time left.
- Feast's rates are those of its best cell (one or two workers, several numbers of connections, Redis; 10,000 users in place of 100,000,
  as it takes a minute to load a million rows). Where a line says "recorded" they were measured before, on a machine of this kind, and
  not in this run: `make bench-peers` installs Feast, and `make bench` then measures it.
- A NO is a promise that is still to be kept.
- Without this tree: `asof init b --template benchmark` makes the tables of the serving lines, and `asof bench` measures them, or your
  own definitions, with the load generator of the open loops here (see [cli.md](cli.md)).
- To repeat: `make bench`, some five minutes; `make bench-full` adds 100 M and 300 M rows, a store of 10 GB and ten minutes of load; one part of
  it: `make bench BENCH="--only join"`. What bounds the lines that say NO: [adr/0013](adr/0013-one-line-a-slot.md),
  [adr/0015](adr/0015-less-around-the-join.md) and [adr/0011](adr/0011-what-bounds-the-reads.md). This page is written by `make bench-full BENCH=--docs`.

The files that were read, generated from hashes of row numbers (bench/suite/tables.py):

{files}
"""


def machine_line(machine):
    return (f"{machine['cores']} cores of an {machine['cpu']} virtual machine, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
            f"{machine['versions']}.")


def markdown(report):
    lines = [f"{report['made']}, {machine_line(report['machine'])} `{report['command']}`", "", HEAD]
    lines += [documented(row) for row in report["rows"]]
    return "\n".join([*lines, "", files_text(report["files"]), ""] if report["files"] else [*lines, ""])


HEAD = "| what | asked | reached | met | command |\n|---|---|---|---|---|"


def documented(row):
    return f"{row_text(row)} `{row['command']}` |"


def files_text(files):
    """What the rows were measured on, as a table."""
    lines = ["| file | rows | columns | row groups | codec | size |", "|---|---|---|---|---|---|"]
    lines += [f"| {file['name']} | {file['rows']:,} | {file['columns']} | {file['row_groups']} | {file['codec']} | "
              f"{file['megabytes']:,.1f} MB |" for file in files]
    return "\n".join(lines)


def row_text(row):
    return f"| {row['what']} | {row['wanted']} | {row['reached']} | {MET[row['met']]} |"


def write(report, out):
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (out / "report.md").write_text(markdown(report))
    for name, picture in pictures(report).items():
        (out / name).write_text(picture)


def pictures(report):
    """Time and memory against rows for every tool, and latency percentiles against load; where there are points for them."""
    drawn = {}
    by_tool = {}
    for row in report["rows"]:
        for tool, figures in row.get("measured", {}).items():
            if not figures.get("over"):
                by_tool.setdefault(tool, {})[row["rows"]] = figures
    if any(len(points) > 1 for points in by_tool.values()):
        for field, title, unit in (("seconds", "Point-in-time join of 1 M labels: wall time", "s"),
                                   ("peak_mb", "Point-in-time join of 1 M labels: peak memory", "MB")):
            series = {tool: sorted((rows / 1e6, figures[field]) for rows, figures in points.items())
                      for tool, points in by_tool.items() if not (tool == "scan" and field == "peak_mb")}
            drawn[f"join_{field}.svg"] = chart(title, "million feature rows", unit, series)
    if report["curves"]:
        series = {f"{tool} {label}": [(point["rate"] / 1000, point[field] / 1000) for point in points]
                  for tool, points in report["curves"].items() for field, label in (("p50_us", "p50"), ("p99_us", "p99"), ("p999_us", "p99.9"))}
        drawn["serve_latency.svg"] = chart("1 entity x 10 features: latency against load", "thousand requests/s", "ms", series)
    return drawn


def chart(title, x_unit, y_unit, series):
    """A chart with logarithmic axes, as SVG."""
    width, height, left, right, top, bottom = 720, 400, 70, 150, 40, 50
    points = [point for line in series.values() for point in line]
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y, high_y = min(y for _, y in points), max(y for _, y in points)
    low_y, high_y = low_y / 1.3, high_y * 1.3

    def at(x, y):
        across = (math.log(x) - math.log(low_x)) / max(math.log(high_x) - math.log(low_x), 1e-9)
        up = (math.log(y) - math.log(low_y)) / max(math.log(high_y) - math.log(low_y), 1e-9)
        return left + across * (width - left - right), height - bottom - up * (height - top - bottom)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>', f'<text x="{left}" y="22" font-size="15">{title}</text>']
    decade = 10 ** math.floor(math.log10(low_y))
    while decade <= high_y:
        for step in (1, 2, 5):
            if low_y <= decade * step <= high_y:
                _, y = at(low_x, decade * step)
                out.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
                out.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{decade * step:g}</text>')
        decade *= 10
    for x in sorted({x for x, _ in points}):
        place, _ = at(x, low_y)
        out.append(f'<text x="{place:.1f}" y="{height - bottom + 18}" text-anchor="middle">{x:g}</text>')
    out.append(f'<text x="{(left + width - right) / 2}" y="{height - 10}" text-anchor="middle">{x_unit}</text>')
    out.append(f'<text x="14" y="{(top + height - bottom) / 2}" transform="rotate(-90 14 {(top + height - bottom) / 2})" '
               f'text-anchor="middle">{y_unit}</text>')
    dashes = {"p50": "", "p99": "6 3", "p99.9": "2 3"}
    for n, (name, line) in enumerate(series.items()):
        tool, _, kind = name.partition(" ")
        colour = COLOURS.get(tool, "#444")
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in line))
        dash = f' stroke-dasharray="{dashes[kind]}"' if dashes.get(kind) else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (at(*point) for point in line)]
        y = top + 18 * n
        out.append(f'<line x1="{width - right + 12}" x2="{width - right + 36}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"{dash}/>')
        out.append(f'<text x="{width - right + 42}" y="{y + 4}">{name}</text>')
    return "\n".join([*out, "</svg>", ""])


def write_between(path, begin, end, text):
    """Puts text between two markers of a page."""
    head, rest = path.read_text().split(begin)
    path.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def write_docs(report):
    """Writes docs/benchmarks.md with its pictures, and the tables of the README and of docs/online-stores.md between their markers."""
    rows = "\n".join(documented(row) for row in report["rows"])
    drawn = pictures(report)
    (ROOT / "docs" / "pictures").mkdir(exist_ok=True)
    for name, picture in drawn.items():
        (ROOT / "docs" / "pictures" / name).write_text(picture)
    shown = "".join(f"![{name.removesuffix('.svg').replace('_', ' ')}](pictures/{name})\n\n" for name in drawn)
    line = machine_line(report["machine"])
    page = PAGE.format(machine=line, head=HEAD, rows=rows, pictures=shown, files=files_text(report["files"]))
    (ROOT / "docs" / "benchmarks.md").write_text(page)
    table = "| what | reached |\n|---|---|\n" + "\n".join(
        f"| {row['what']} | {row['reached']} |" for row in report["rows"] if row.get("headline"))
    write_between(ROOT / "README.md", "<!-- benchmarks -->", "<!-- /benchmarks -->",
                  f"{table}\n\n{line} By `make bench-full`, of which `make bench` is what takes minutes; all lines are in "
                  "[docs/benchmarks.md](docs/benchmarks.md).")
    stores = "\n".join(f"| {row['store']} | {row['p99_ms']:.2f} ms |" for row in report["rows"] if "store" in row)
    write_between(ROOT / "docs" / "online-stores.md", "<!-- bench: online-p99 begin -->", "<!-- bench: online-p99 end -->",
                  f"| store | p99 |\n|---|---|\n{stores}\n\n{line}")


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
