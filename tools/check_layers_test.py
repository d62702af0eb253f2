#!/usr/bin/env python3
"""Proves that each rule of check_layers.py can fail: a small tree that keeps all of them, then one change at a time."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import check_layers

TABLE = """\
# asof_layer(asof/comment 0)
function(asof_layer folder layer)
endfunction()
asof_layer(asof/base 0 LIBRARIES fmt xxhash threads)
asof_layer(asof/types 1 INCLUDES asof/base)
asof_layer(asof/model 2 INCLUDES asof/types
                        LIBRARIES yaml-cpp nlohmann_json)
asof_layer(asof/agg 2 INCLUDES asof/types)
asof_layer(asof/store 3 INCLUDES asof/model)
asof_layer(asof/engines/online/lmdb 4 INCLUDES asof/store LIBRARIES lmdb)
asof_layer(asof/engines/online/memory 4 INCLUDES asof/store)
asof_layer(asof/serve 5 INCLUDES asof/store)
asof_layer(asof/client 7 INCLUDES asof/serve)
asof_layer(apps/cli 8 INCLUDES asof/client apps/server)
asof_layer(apps/server 8 INCLUDES asof/client LIBRARIES boost)
"""

DEPS = """\
asof_third_party(threads Threads::Threads)
asof_third_party(fmt fmt::fmt-header-only)
asof_third_party(nlohmann_json nlohmann_json::nlohmann_json)
asof_third_party(boost Threads::Threads)
asof_static_library(xxhash libxxhash.a xxhash.h)
asof_static_library(yaml-cpp libyaml-cpp.a yaml-cpp/yaml.h)
asof_static_library(lmdb liblmdb.a lmdb.h)
"""

MAP = """\
# Architecture
## Code map
| folder | layer | job |
|---|---|---|
| `asof/base/` | L0 | |
| `asof/types/` | L1 | |
| `asof/model/` | L2 | reads asof/types |
| `asof/agg/` | L2 | |
| `asof/store/` | L3 | |
| `asof/engines/` | L4 | a folder an engine: |
| `asof/engines/online/lmdb/` | L4 | |
| `asof/engines/online/memory/` | L4 | |
| `asof/serve/` | 5 | |
| `asof/client/` | L7 | |
| `apps/cli/` | L8 | |
| `apps/server/` | L8 | |
## Invariants
- `asof/unknown` is not in the map.
"""


def source(namespace: str, *included: str) -> str:
    return "".join(f"#include {name}\n" for name in included) + f"\nnamespace {namespace} {{\n}}\n"


GOOD = {
    "cmake/layers.cmake": TABLE,
    "cmake/deps.cmake": DEPS,
    "ARCHITECTURE.md": MAP,
    "asof/base/hash.h": source("asof::inline base", "<string>"),
    "asof/base/hash.cc": source("asof::inline base", '"asof/base/hash.h"', "<xxhash.h>", "<fmt/format.h>"),
    "asof/types/value.h": source("asof::inline types", '"asof/base/hash.h"', "<fmt/format.h>"),
    "asof/types/arrow.h": 'extern "C" {\nstruct ArrowArray {};\n}\n',
    "asof/model/view.h": source("asof::model", '"asof/types/value.h"', '"asof/base/hash.h"', "<nlohmann/json.hpp>"),
    "asof/model/internal/yaml.h": source("asof::model", "<yaml-cpp/yaml.h>"),
    "asof/model/view.cc": source("asof::model", '"asof/model/internal/yaml.h"'),
    "asof/model/CMakeLists.txt": "asof_module(TEST_LIBRARIES asof_3p_lmdb)\n",
    "asof/model/view_test.cc": source("asof::model", "<lmdb.h>", "<gtest/gtest.h>", '"asof/model/view.h"'),
    "asof/agg/sum.h": source("asof::agg", '"asof/types/value.h"') + "// globs like a/* are no comment\n",
    "asof/store/online.h": source("asof::store", '"asof/model/view.h"'),
    "asof/store/testing/suite.h": source("asof::store::testing", '"asof/store/online.h"', "<gtest/gtest.h>"),
    "asof/store/testing/CMakeLists.txt": "target_link_libraries(asof_store_testing PUBLIC asof_store GTest::gmock)\n",
    "asof/engines/online/lmdb/lmdb_store.h": source("asof::engines::online::lmdb", '"asof/store/online.h"', "<lmdb.h>"),
    "asof/engines/online/lmdb/lmdb_store_test.cc": source(
        "asof::engines::online::lmdb", '"asof/engines/online/lmdb/lmdb_store.h"', '"asof/store/testing/suite.h"'),
    "asof/engines/online/memory/memory_store.h": source("asof::engines::online::memory", '"asof/store/online.h"'),
    "asof/serve/read.h": source("asof::serve", '"asof/store/online.h"'),
    "asof/serve/read_test.cc": source("asof::serve", '"asof/engines/online/memory/memory_store.h"'),
    "asof/client/client.h": source("asof::client", '"asof/serve/read.h"'),
    "asof/client/client.cc": source("asof::client", '"asof/engines/online/lmdb/lmdb_store.h"'),
    "apps/cli/main.cc": '#include "apps/server/server.h"\nint main() {}\n',
    "apps/cli/CMakeLists.txt": "asof_module()\nadd_executable(asof main.cc)\ntarget_link_libraries(asof PRIVATE apps_cli)\n",
    "apps/server/server.h": source("asof::server", '"asof/client/client.h"', "<boost/asio.hpp>"),
    "tests/cases/run_test.cc": '#include "asof/engines/online/lmdb/lmdb_store.h"\n#include <lmdb.h>\n',
    "third_party/boost/util/x.h": "",
    "build/util/x.h": "",
}


def run_check(tree: dict[str, str]) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tree.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = check_layers.main([folder])
        return status, output.getvalue()


class CheckLayers(unittest.TestCase):
    def expect(self, violation: str, changes: dict[str, str | None]) -> None:
        """The good tree with these files written (or, where None, left out) breaks exactly this rule, at this place."""
        tree = {name: text for name, text in {**GOOD, **changes}.items() if text is not None}
        status, output = run_check(tree)
        self.assertEqual(status, 1, output)
        lines = output.splitlines()
        self.assertTrue(lines[0].startswith(violation), f"wanted: {violation}\n{output}")
        self.assertIn("layers: 1 violation of", lines[1], output)

    def expect_include(self, rule: str, path: str, name: str) -> None:
        """One more include on the first line of a file."""
        self.expect(f"{path}:1: [{rule}]", {path: f"#include {name}\n" + GOOD[path]})

    def expect_table(self, rule: str, old: str, new: str, extra: dict[str, str | None] | None = None) -> None:
        self.assertIn(old, TABLE)
        table = TABLE.replace(old, new)
        line = next(i for i, pair in enumerate(zip(TABLE.splitlines(), table.splitlines()), 1) if pair[0] != pair[1])
        self.expect(f"cmake/layers.cmake:{line}: [{rule}]", {"cmake/layers.cmake": table, **(extra or {})})

    def test_a_good_tree_passes(self):
        status, output = run_check(GOOD)
        self.assertEqual(status, 0, output)
        self.assertRegex(output, r"layers: 21 files in 11 modules keep the rules")

    def test_a_good_tree_passes_without_a_map(self):
        status, output = run_check({k: v for k, v in GOOD.items() if k != "ARCHITECTURE.md"})
        self.assertEqual(status, 0, output)

    def test_commented_includes_do_not_count(self):
        code = '// #include <lmdb.h>\n/*\n#include <lmdb.h>\n*/\n'
        status, output = run_check({**GOOD, "asof/agg/sum.h": code + GOOD["asof/agg/sum.h"]})
        self.assertEqual(status, 0, output)

    def test_a_glob_in_a_comment_hides_nothing(self):
        self.expect("asof/agg/sum.h:2: [library]",
                    {"asof/agg/sum.h": "// reads a/*.x\n#include <nlohmann/json.hpp>\n// and b/*/c\n" + GOOD["asof/agg/sum.h"]})

    def test_a_lower_layer_may_not_include_a_higher_one(self):
        self.expect_include("include", "asof/base/hash.cc", '"asof/types/value.h"')

    def test_modules_of_one_layer_do_not_include_each_other(self):
        self.expect_include("include", "asof/agg/sum.h", '"asof/model/view.h"')

    def test_a_test_obeys_the_table_too(self):
        self.expect_include("include", "asof/serve/read_test.cc", '"asof/client/client.h"')

    def test_a_listed_app_may_be_included_but_not_the_other_way_round(self):
        self.expect("apps/server/server.h:1: [include]", {
            "apps/server/server.h": '#include "apps/cli/args.h"\n' + GOOD["apps/server/server.h"],
            "apps/cli/args.h": source("asof::cli")})

    def test_an_included_folder_must_be_a_module(self):
        self.expect_include("include", "asof/model/view.h", '"asof/nowhere/x.h"')

    def test_testing_headers_are_for_tests(self):
        self.expect_include("include", "asof/serve/read.h", '"asof/store/testing/suite.h"')

    def test_only_client_and_tests_include_engines(self):
        self.expect_include("engine", "asof/serve/read.h", '"asof/engines/online/lmdb/lmdb_store.h"')

    def test_no_engine_includes_another(self):
        self.expect_include("engine", "asof/engines/online/lmdb/lmdb_store.h", '"asof/engines/online/memory/memory_store.h"')

    def test_an_app_includes_no_engine(self):
        self.expect_include("engine", "apps/cli/main.cc", '"asof/engines/online/lmdb/lmdb_store.h"')

    def test_the_table_names_no_engine(self):
        self.expect_table("engine", "asof/serve 5 INCLUDES asof/store", "asof/serve 5 INCLUDES asof/store asof/engines/online/lmdb")

    def test_private_headers_stay_in_their_module(self):
        self.expect_include("private-header", "asof/store/online.h", '"asof/model/internal/yaml.h"')

    def test_private_headers_are_not_for_outside_tests_either(self):
        self.expect_include("private-header", "tests/cases/run_test.cc", '"asof/model/internal/yaml.h"')

    def test_a_library_is_included_only_where_it_is_listed(self):
        self.expect_include("library", "asof/client/client.cc", "<lmdb.h>")

    def test_a_listed_library_does_not_travel_upwards(self):
        self.expect_include("library", "asof/store/online.h", "<nlohmann/json.hpp>")

    def test_every_library_is_recognised_by_its_include(self):
        for name in ("lmdb.h", "sqlite3.h", "duckdb.h", "duckdb.hpp", "boost/asio.hpp", "simdjson.h", "yaml-cpp/yaml.h",
                     "xxhash.h", "CLI/CLI.hpp", "openssl/ssl.h", "nlohmann/json_fwd.hpp", "spdlog/spdlog.h"):
            with self.subTest(name):
                self.expect_include("library", "asof/client/client.cc", f"<{name}>")
                self.expect_include("library", "asof/client/client.cc", f'"{name}"')

    def test_gtest_is_for_tests(self):
        self.expect_include("library", "asof/model/view.cc", "<gtest/gtest.h>")

    def test_public_headers_expose_no_library(self):
        self.expect_include("header", "asof/base/hash.h", "<xxhash.h>")
        self.expect_include("header", "asof/model/view.h", "<yaml-cpp/yaml.h>")

    def test_quoted_includes_are_paths_from_the_root(self):
        self.expect_include("include-path", "asof/model/view.cc", '"view.h"')
        self.expect_include("include-path", "asof/model/view.cc", '"tests/oracle/oracle.h"')

    def test_a_modules_test_may_use_the_oracle(self):
        path = "asof/serve/read_test.cc"
        status, output = run_check({**GOOD, path: '#include "tests/oracle/oracle.h"\n' + GOOD[path]})
        self.assertEqual(status, 0, output)

    def test_a_file_opens_the_namespace_of_its_folder(self):
        for path, wrong in (("asof/model/view.h", "asof::store"), ("asof/base/hash.h", "asof::base"), ("asof/agg/sum.h", "asof::aggregate"),
                            ("asof/engines/online/memory/memory_store.h", "asof::engines::memory"), ("apps/server/server.h", "server")):
            with self.subTest(path):
                self.expect(f"{path}:1: [namespace]", {path: source(wrong)})

    def test_a_forbidden_folder_name_is_a_missing_noun(self):
        for name in ("util", "common", "helpers", "manager"):
            with self.subTest(name):
                self.expect(f"tests/{name}:1: [folder-name]", {f"tests/{name}/x.txt": ""})

    def test_a_folder_with_sources_has_a_line_in_the_table(self):
        self.expect("asof/plan/join.cc:1: [table]", {"asof/plan/join.cc": source("asof::plan")})

    def test_a_module_has_no_folders_but_internal_and_testing(self):
        self.expect("asof/model/json/write.cc:1: [table]", {"asof/model/json/write.cc": source("asof::model::json")})

    def test_layers_fall_along_includes(self):
        self.expect_table("layer-order", "asof/serve 5", "asof/serve 3", {"ARCHITECTURE.md": MAP.replace("serve/` | 5", "serve/` | 3")})

    def test_modules_of_one_layer_do_not_list_each_other(self):
        self.expect_table("layer-order", "asof/agg 2 INCLUDES asof/types", "asof/agg 2 INCLUDES asof/types asof/model")

    def test_apps_may_not_form_a_circle(self):
        table = TABLE.replace("apps/server 8 INCLUDES asof/client", "apps/server 8 INCLUDES asof/client apps/cli")
        status, output = run_check({**GOOD, "cmake/layers.cmake": table})
        self.assertEqual(status, 1)
        self.assertIn("apps/cli includes itself through its INCLUDES", output)

    def test_the_table_names_only_modules_and_libraries_that_exist(self):
        self.expect_table("table", "asof/agg 2 INCLUDES asof/types", "asof/agg 2 INCLUDES asof/types asof/tpyes")
        self.expect_table("table", "LIBRARIES lmdb", "LIBRARIES lmdb duckdb")
        self.expect("cmake/layers.cmake:10: [table]", {
            "cmake/layers.cmake": TABLE.replace("LIBRARIES lmdb", "LIBRARIES lmdb zlib"), "cmake/deps.cmake": DEPS + "asof_third_party(zlib z)\n"})

    def test_a_module_stands_once(self):
        self.expect("cmake/layers.cmake:17: [table]", {"cmake/layers.cmake": TABLE + "\nasof_layer(asof/agg 2 INCLUDES asof/types)\n"})

    def test_modules_do_not_link_libraries_themselves(self):
        for word in ("asof_3p_lmdb", "lmdb", "-llmdb", "nlohmann_json::nlohmann_json", "Threads::Threads"):
            with self.subTest(word):
                self.expect("asof/model/CMakeLists.txt:3: [link]", {
                    "asof/model/CMakeLists.txt": f"# a module\nasof_module(TEST_LIBRARIES asof_3p_lmdb)\ntarget_link_libraries(asof_model PRIVATE {word})\n"})

    def test_modules_do_not_link_past_the_table(self):
        self.expect("asof/serve/CMakeLists.txt:1: [link]", {"asof/serve/CMakeLists.txt": "target_link_libraries(asof_serve PUBLIC asof_engines_online_lmdb)\n"})

    def test_the_map_names_every_module(self):
        self.expect("ARCHITECTURE.md:2: [code-map]", {"ARCHITECTURE.md": MAP.replace("| `asof/agg/` | L2 | |\n", "")})

    def test_the_map_names_no_other_folder(self):
        self.expect("ARCHITECTURE.md:5: [code-map]", {"ARCHITECTURE.md": MAP.replace("| `asof/base/`", "| `asof/zeal/` | L0 | |\n| `asof/base/`")})

    def test_the_map_and_the_table_agree_on_layers(self):
        self.expect("ARCHITECTURE.md:8: [code-map]", {"ARCHITECTURE.md": MAP.replace("`asof/agg/` | L2", "`asof/agg/` | 3")})

    def test_there_is_a_map(self):
        self.expect("ARCHITECTURE.md:1: [code-map]", {"ARCHITECTURE.md": "# Architecture\n"})


if __name__ == "__main__":
    unittest.main(verbosity=0)
