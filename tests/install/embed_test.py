"""What `cmake --install` leaves is enough to run the program, and to build and run a program that embeds the store."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ASOF_BUILD_DIR", ROOT / "build/release"))
CMAKE = os.environ.get("CMAKE", "cmake")
GENERATOR = ["-G", "Ninja"] if shutil.which("ninja") else []
READ = "user_segment=power_user (PRESENT) watch_count_30d=47 (PRESENT) last_genre=documentary (PRESENT)"


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="asof-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.prefix = cls.folder / "prefix"
        cls.call(CMAKE, "--install", BUILD, "--prefix", cls.prefix)

    @classmethod
    def call(cls, *command, cwd=None) -> str:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ASOF", "LD_LIBRARY_PATH"))}
        done = subprocess.run([str(word) for word in command], cwd=cwd, env=kept, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def test_the_program_runs_from_where_it_was_installed(self):
        self.assertTrue(self.call(self.prefix / "bin/asof", "version").startswith("asof "))
        # Moved as a whole, it still finds its library, which `init` makes data with.
        moved = self.folder / "moved"
        shutil.copytree(self.prefix, moved)
        self.call(moved / "bin/asof", "init", self.folder / "of-the-moved")

    def test_a_missing_library_is_told_by_the_command_that_needs_it(self):
        alone = self.folder / "alone"
        alone.mkdir()
        shutil.copy(self.prefix / "bin/asof", alone)
        self.assertTrue(self.call(alone / "asof", "version").startswith("asof "))
        with self.assertRaisesRegex(AssertionError, "DuckDB cannot be loaded: libduckdb.so(.|\n)*hint: keep the libduckdb.so"):
            self.call(alone / "asof", "init", alone / "repository")

    def test_private_headers_stay_at_home(self):
        headers = {path.relative_to(self.prefix / "include").as_posix() for path in (self.prefix / "include").rglob("*.h")}
        self.assertIn("asof/client/project.h", headers)
        self.assertEqual([name for name in headers if "/internal/" in name or "/testing/" in name], [])

    def test_a_program_that_embeds_the_store_is_built_against_it_and_runs(self):
        repository = self.folder / "repository"
        self.call(self.prefix / "bin/asof", "init", repository, "--template", "recommender")
        build = self.folder / "build"
        self.call(CMAKE, "-S", ROOT / "examples/embed", "-B", build, *GENERATOR, f"-DCMAKE_PREFIX_PATH={self.prefix}",
                  "-DCMAKE_BUILD_TYPE=Release")
        self.call(CMAKE, "--build", build)
        out = self.call(build / "embed", repository)
        self.assertIn("revision 1", out)
        self.assertIn("3 training rows, 3 features", out)
        self.assertIn(READ, out)
        self.assertIn("last_genre=null (NOT_FOUND)", out)
        self.assertTrue((repository / "train.parquet").is_file())
        # Run again it changes nothing and says the same.
        self.assertIn(READ, self.call(build / "embed", repository))

    def test_the_example_stays_short(self):
        lines = (ROOT / "examples/embed/main.cc").read_text().splitlines()
        self.assertLess(len(lines), 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
