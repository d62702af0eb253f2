#!/usr/bin/env python3
"""Holds every include, link line, namespace and folder against the one layer table, cmake/layers.cmake.

Prints `file:line: [rule] what is wrong; what to do` for each violation and exits with 1. It is never waived: where it is
in the way, either the code stands in the wrong folder or the table is to be changed, in a commit that says why.
Takes the root of a tree as its only argument (default: the tree it stands in).
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

TABLE = "cmake/layers.cmake"
MAP = "ARCHITECTURE.md"
FORBIDDEN_FOLDERS = {"util", "utils", "common", "helper", "helpers", "manager", "managers"}
SKIPPED_FOLDERS = {"third_party", "node_modules", "dist", "__pycache__"}
# Code outside the modules: sees every module and engine, but no private header.
FREE_TREES = ("tests", "bench", "fuzz", "examples", "python")

# How an include names a library of cmake/deps.cmake.
LIBRARY_INCLUDES = {
    "boost": r"boost/",
    "cli11": r"CLI/",
    "duckdb": r"duckdb(\.h|\.hpp|/|_)",
    "fmt": r"fmt/",
    "lmdb": r"lmdb\.h",
    "lz4": r"lz4\.h",
    "nanoarrow": r"nanoarrow(_ipc)?\.h",
    "nlohmann_json": r"nlohmann/",
    "openssl": r"openssl/",
    "rdkafka": r"librdkafka/",
    "simdjson": r"simdjson(\.h|/)",
    "snappy": r"snappy\.h",
    "spdlog": r"spdlog/",
    "sqlite3": r"sqlite3(ext)?\.h",
    "threads": None,  # the standard library's own headers
    "xxhash": r"(xxhash|xxh3)\.h",
    "yaml-cpp": r"yaml-cpp/",
    "zstd": r"zstd\.h",
}
LIBRARY_OF = [(re.compile(p), name) for name, p in LIBRARY_INCLUDES.items() if p]
EVERYWHERE = {"fmt"}  # base hands it to every module
IN_HEADERS = {"fmt", "nlohmann_json"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
LINE_COMMENT = re.compile(r"//[^\n]*")
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.S)


@dataclass
class Module:
    folder: str
    layer: int
    line: int
    includes: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)

    @property
    def is_engine(self) -> bool:
        return self.folder.startswith("asof/engines/")

    @property
    def target(self) -> str:
        return self.folder.replace("/", "_")

    @property
    def namespace(self) -> str:
        if self.folder in ("asof/base", "asof/types"):
            return "asof::inline " + self.folder.removeprefix("asof/")
        return "asof::" + self.folder.removeprefix("asof/").removeprefix("apps/").replace("/", "::")


class Check:
    def __init__(self, root: Path):
        self.root = root
        self.modules: dict[str, Module] = {}
        self.reachable: dict[str, set[str]] = {}
        self.violations: list[tuple[str, int, str, str]] = []
        self.files = 0

    def report(self, path: str, line: int, rule: str, text: str) -> None:
        self.violations.append((path, line, rule, text))

    def run(self) -> None:
        self.read_table()
        self.check_table()
        sources = self.walk()
        for path in sources:
            if path.endswith((".h", ".cc")):
                self.check_source(path)
            elif path.endswith("CMakeLists.txt"):
                self.check_cmake(path)
        self.check_folders(sources)
        self.check_map()

    # The table.

    def read_table(self) -> None:
        text = (self.root / TABLE).read_text()
        text = re.sub(r"#[^\n]*", "", text)
        for call in re.finditer(r"\basof_layer\s*\(([^)]*)\)", text):
            words = call[1].split()
            if len(words) < 2 or not words[1].isdigit():
                continue  # the function's own definition
            line = text.count("\n", 0, call.start()) + 1
            module = Module(words[0], int(words[1]), line)
            into = None
            for word in words[2:]:
                if word in ("INCLUDES", "LIBRARIES"):
                    into = module.includes if word == "INCLUDES" else module.libraries
                elif into is not None:
                    into.append(word)
                else:
                    self.report(TABLE, line, "table", f"cannot read '{word}'; write INCLUDES or LIBRARIES before it")
            if module.folder in self.modules:
                self.report(TABLE, line, "table", f"{module.folder} stands twice; keep one line")
            self.modules[module.folder] = module
        if not self.modules:
            self.report(TABLE, 1, "table", "no asof_layer(...) line was found; the table must stand here")

    def check_table(self) -> None:
        declared = self.declared_libraries()
        for module in self.modules.values():
            for name in module.includes:
                self.check_edge(module, name)
            for library in module.libraries:
                if library not in LIBRARY_INCLUDES:
                    self.report(TABLE, module.line, "table", f"library {library} is unknown to this check; "
                                "add its include path to LIBRARY_INCLUDES in tools/check_layers.py")
                if declared and library not in declared:
                    self.report(TABLE, module.line, "table", f"library {library} is not declared; "
                                f"declare it in cmake/deps.cmake or take it from {module.folder}")
        for folder in self.modules:
            self.reachable[folder] = self.reach(folder)
            if folder in self.reachable[folder]:
                self.report(TABLE, self.modules[folder].line, "table", f"{folder} includes itself through its INCLUDES; break the cycle")

    def check_edge(self, module: Module, name: str) -> None:
        other = self.modules.get(name)
        if other is None:
            self.report(TABLE, module.line, "table", f"{module.folder} INCLUDES {name}, which has no line; correct the name or add it")
            return
        if other.is_engine:
            self.report(TABLE, module.line, "engine", f"{module.folder} names the engine {name}; "
                        "engines are reached through the list that client generates")
        both_apps = name.startswith("apps/") and module.folder.startswith("apps/")
        if other.layer > module.layer or (other.layer == module.layer and not both_apps):
            self.report(TABLE, module.line, "layer-order", f"{module.folder} (layer {module.layer}) INCLUDES {name} (layer "
                        f"{other.layer}); layers fall along INCLUDES: move what is shared below both")

    def reach(self, folder: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(self.modules[folder].includes)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.modules:
                continue
            seen.add(name)
            waiting.extend(self.modules[name].includes)
        return seen

    def declared_libraries(self) -> set[str]:
        path = self.root / "cmake/deps.cmake"
        if not path.exists():
            return set()
        return set(re.findall(r"^asof_(?:third_party|static_library)\(([\w-]+)", path.read_text(), re.M))

    # The tree.

    def walk(self) -> list[str]:
        found = []
        for folder, names, files in os.walk(self.root):
            here = Path(folder).relative_to(self.root).as_posix()
            top = here == "."
            names[:] = sorted(n for n in names if not n.startswith(".") and n not in SKIPPED_FOLDERS
                              and not (top and n.startswith("build")))
            for name in names:
                if name in FORBIDDEN_FOLDERS:
                    path = name if top else f"{here}/{name}"
                    self.report(path, 1, "folder-name", f"no folder is called '{name}': a thing without a home is a sign "
                                "of a missing noun; name what it is, or move it to the module it serves")
            if top or here.split("/")[0] in ("asof", "apps", *FREE_TREES):
                found.extend(name if top else f"{here}/{name}" for name in sorted(files))
        return found

    def module_of(self, path: str) -> Module | None:
        """The deepest module whose folder holds the path."""
        parts = PurePosixPath(path).parts
        for length in range(len(parts), 1, -1):
            module = self.modules.get("/".join(parts[:length]))
            if module is not None:
                return module
        return None

    def check_folders(self, sources: list[str]) -> None:
        reported = set()
        for path in sources:
            if not path.startswith(("asof/", "apps/")) or not path.endswith((".h", ".cc")):
                continue
            folder = path.rpartition("/")[0]
            if folder in self.modules or folder in reported:
                continue
            module = self.module_of(path)
            if module is not None and folder.removeprefix(module.folder + "/") in ("internal", "testing"):
                continue
            reported.add(folder)
            self.report(path, 1, "table", f"{folder} has sources but no line in {TABLE}; "
                        "add its line, or move the files into a module (or its internal/)")

    # Sources.

    def check_source(self, path: str) -> None:
        self.files += 1
        text = (self.root / path).read_text(errors="replace")
        code = BLOCK_COMMENT.sub(lambda m: "\n" * m[0].count("\n"), LINE_COMMENT.sub("", text))
        tree = path.split("/")[0]
        module = self.module_of(path)
        if tree in FREE_TREES:
            for line, quoted, name in includes(code):
                self.check_private(path, line, name, None)
            return
        if tree not in ("asof", "apps") or module is None:
            return
        test = is_test(path)
        for line, quoted, name in includes(code):
            if name.startswith(("asof/", "apps/")):
                self.check_private(path, line, name, module)
                self.check_include(path, line, name, module, test)
            elif not (test and name.startswith("tests/")):  # a module's test may use the oracle
                self.check_library(path, line, name, module, test)
                if quoted and self.library_of(name) is None:
                    self.report(path, line, "include-path", f'"{name}" is not a path from the root; write "{module.folder}/…"')
        self.check_namespace(path, code, module)

    def check_private(self, path: str, line: int, name: str, module: Module | None) -> None:
        owner = self.module_of(name)
        if owner is None or owner is module:
            return
        if "internal" in PurePosixPath(name).parts[:-1]:
            self.report(path, line, "private-header", f"{name} is private to {owner.folder}; "
                        "use its public headers, or make the header public by moving it out of internal/")

    def check_include(self, path: str, line: int, name: str, module: Module, test: bool) -> None:
        owner = self.module_of(name)
        if owner is None:
            self.report(path, line, "include", f"{name} belongs to no module of {TABLE}; correct the path or add the module")
            return
        if "/testing/" in name and not test:
            self.report(path, line, "include", f"{name} is for tests; only *_test.cc and testing/ may include it")
        if owner is module or owner.folder in self.reachable[module.folder]:
            return
        if owner.is_engine:
            if module.folder != "asof/client" and not test:
                self.report(path, line, "engine", f"{module.folder} includes the engine {owner.folder}; nothing but asof/client "
                            "and tests names an engine: use the interfaces of asof/store")
            return
        same = f" (both layer {module.layer})" if owner.layer == module.layer else ""
        self.report(path, line, "include", f"{module.folder} may not include {owner.folder}{same}; include what its line in "
                    f"{TABLE} names, or move what is shared to a layer below both")

    def library_of(self, name: str) -> str | None:
        return next((library for pattern, library in LIBRARY_OF if pattern.match(name)), None)

    def check_library(self, path: str, line: int, name: str, module: Module, test: bool) -> None:
        if name.startswith(("gtest/", "gmock/")) and not test:
            self.report(path, line, "library", f"<{name}> is for tests; move this into a *_test.cc or testing/")
        library = self.library_of(name)
        if library is None:
            return
        if library not in module.libraries and library not in EVERYWHERE and not (test and library in self.test_libraries(module)):
            self.report(path, line, "library", f"<{name}> is of {library}, which {module.folder} does not list; "
                        f"keep it in the module that lists it, or add it to LIBRARIES in {TABLE}")
        public_header = path.endswith(".h") and not test and "/internal/" not in path
        if public_header and not module.is_engine and not path.startswith("apps/") and library not in IN_HEADERS:
            self.report(path, line, "header", f"a public header exposes {library}; include <{name}> in the .cc "
                        "and keep its types behind a forward declaration or a private struct")

    def test_libraries(self, module: Module) -> set[str]:
        path = self.root / module.folder / "CMakeLists.txt"
        found = re.search(r"TEST_LIBRARIES([^)]*)", path.read_text()) if path.exists() else None
        return set(re.findall(r"asof_3p_([\w-]+)", found[1])) if found else set()

    def check_namespace(self, path: str, code: str, module: Module) -> None:
        if re.search(r"^int main\(", code, re.M) or 'extern "C"' in code:
            return
        wanted = module.namespace
        if not re.search(rf"^namespace {re.escape(wanted)}(::[\w:]+)? {{", code, re.M):
            self.report(path, 1, "namespace", f"opens no `namespace {wanted} {{`, the namespace of its folder")

    # Link lines.

    def check_cmake(self, path: str) -> None:
        module = self.module_of(path)
        if module is None or not path.startswith(("asof/", "apps/")):
            return
        text = re.sub(r"#[^\n]*", "", (self.root / path).read_text())
        for call in re.finditer(r"\btarget_link_libraries\s*\(([^)]*)\)", text):
            line = text.count("\n", 0, call.start()) + 1
            words = [w for w in call[1].split() if w not in ("PUBLIC", "PRIVATE", "INTERFACE")]
            if not words:
                continue
            test = words[0].endswith(("_test", "_bench", "_testing")) or "/testing" in path or "GTest::" in call[1]
            for word in words[1:]:
                self.check_link(path, line, word, module, test)

    def check_link(self, path: str, line: int, word: str, module: Module, test: bool) -> None:
        bare = word.removeprefix("asof_3p_").removeprefix("-l").lower()
        outside = "::" in word and not word.startswith(("GTest::", "benchmark::"))
        if word.startswith(("asof_3p_", "-l")) or outside or bare in LIBRARY_INCLUDES or bare in ("asof_duckdb", "ssl", "crypto"):
            self.report(path, line, "link", f"links {word}; a module's libraries are listed in {TABLE} (LIBRARIES), a test's "
                        "in asof_module(TEST_LIBRARIES …)")
            return
        owner = next((m for m in self.modules.values() if m.target == word), None)
        if owner is None or owner is module or test or owner.folder in self.reachable[module.folder]:
            return
        if not (owner.is_engine and module.folder == "asof/client"):
            self.report(path, line, "link", f"links {word}, which {module.folder} may not include; what a module links follows "
                        f"from its line in {TABLE}")

    # The code map.

    def check_map(self) -> None:
        path = self.root / MAP
        if not path.exists():
            return
        lines = path.read_text().splitlines()
        start = next((i for i, text in enumerate(lines) if re.match(r"#+ .*code map", text, re.I)), None)
        if start is None:
            self.report(MAP, 1, "code-map", "has no heading 'Code map'; list under it every folder of the table, one a line")
            return
        depth = len(lines[start]) - len(lines[start].lstrip("#"))
        parents = {p.as_posix() for folder in self.modules for p in PurePosixPath(folder).parents}
        named: dict[str, int] = {}
        fenced = False
        for number, text in enumerate(lines[start + 1:], start + 2):
            if text.startswith("```"):
                fenced = not fenced
            heading = re.match(r"(#+) ", text)
            if heading and not fenced and len(heading[1]) <= depth:
                break
            entry = re.match(r"[\s|*`-]*((?:asof|apps)(?:/[\w-]+)+)/?(?=[`\s|:,]|$)(.*)", text)
            if entry is None or entry[1] in parents:
                continue
            named[entry[1]] = number
            self.check_map_line(number, entry[1], entry[2])
        for folder in self.modules.keys() - named.keys():
            self.report(MAP, start + 1, "code-map", f"{folder} is missing from the code map; give it a line")

    def check_map_line(self, number: int, folder: str, rest: str) -> None:
        module = self.modules.get(folder)
        if module is None:
            self.report(MAP, number, "code-map", f"{folder} is not in {TABLE}; take the line out or correct it")
            return
        layer = re.match(r"[`\s|:,]*L?(\d+)\b", rest)
        if layer and int(layer[1]) != module.layer:
            self.report(MAP, number, "code-map", f"{folder} is layer {module.layer} in {TABLE}, not {layer[1]}; correct the map")


def is_test(path: str) -> bool:
    return path.endswith(("_test.cc", "_bench.cc")) or "/testing/" in path


def includes(code: str) -> Iterator[tuple[int, bool, str]]:
    """Line, whether quoted, and name of every include."""
    for found in INCLUDE.finditer(code):
        yield code.count("\n", 0, found.end()) + 1, found[1] == '"', found[2]


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    check = Check(root)
    check.run()
    for path, line, rule, text in sorted(check.violations):
        print(f"{path}:{line}: [{rule}] {text}")
    count = len(check.violations)
    if count:
        print(f"layers: {count} violation{'s' if count > 1 else ''} of the layer rules (ARCHITECTURE.md)")
        return 1
    print(f"layers: {check.files} files in {len(check.modules)} modules keep the rules")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
