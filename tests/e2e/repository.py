"""What the end-to-end tests share: the real program, run in a repository of its own.

The program is named by ASOF (ctest sets it). A test that lacks a part is skipped with the reason, or fails where
ASOF_REQUIRE_ALL_PARTS=1.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("ASOF", str(ROOT / "build/asof"))
TIMEOUT_S = 300


def missing(reason: str) -> unittest.SkipTest:
    """What to raise where a part is not there."""
    if os.environ.get("ASOF_REQUIRE_ALL_PARTS") == "1":
        raise AssertionError(f"ASOF_REQUIRE_ALL_PARTS=1, but {reason}")
    return unittest.SkipTest(reason)


def data_folder() -> Path:
    folder = Path(os.environ.get("ASOF_DATA_DIR", ROOT.parent / "shared/data"))
    if not folder.is_dir():
        raise missing(f"there is no {folder}; name the folder of the data sets in ASOF_DATA_DIR")
    return folder


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ASOF_") and k != "ASOF"}
    return {**kept, **more}


class Done:
    """A command that has ended."""

    def __init__(self, arguments, process):
        self.arguments = arguments
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"asof {' '.join(map(str, self.arguments))}\nexit {self.code}\nstdout:\n{self.out}\nstderr:\n{self.err}"


def run(*arguments, cwd=None, env=None, user=None) -> Done:
    process = subprocess.run([PROGRAM, *map(str, arguments)], cwd=cwd, env=environment(**(env or {})), user=user,
                             capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, check=False)
    return Done(arguments, process)


class Server:
    """`asof serve` on a free port, stopped by its process id."""

    def __init__(self, repository: "Repository", *arguments):
        self.port = free_port()
        self.log = open(repository.path / "server.log", "w+b")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", str(self.port), *arguments], cwd=repository.path,
            env=environment(**repository.env), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if self.get("/readyz")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"the server is not ready:\n{self.said}")

    def __exit__(self, *failure):
        self.stop()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=60)
        self.said = self.text()
        self.log.close()
        return code

    def text(self) -> str:
        if self.log.closed:
            return self.said
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def get(self, path: str):
        return self.request(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def post(self, path: str, body):
        return self.request(urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"}))

    @staticmethod
    def request(request):
        """(status, headers, text)"""
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read().decode()


class Repository(unittest.TestCase):
    """A test case with a folder of its own, `self.path`, and the program in it."""

    def setUp(self):
        if not Path(PROGRAM).is_file():
            raise missing(f"there is no program {PROGRAM}; build it, or name it in ASOF")
        self.path = Path(tempfile.mkdtemp(prefix="asof-e2e-"))
        self.env: dict[str, str] = {}
        self.addCleanup(shutil.rmtree, self.path, ignore_errors=True)
        self.maxDiff = None

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def asof(self, *arguments, env=None) -> Done:
        return run(*arguments, cwd=self.path, env={**self.env, **(env or {})})

    def good(self, *arguments, **more) -> Done:
        done = self.asof(*arguments, **more)
        self.assertEqual(done.code, 0, done)
        return done

    def bad(self, *arguments, code=1, says=(), **more) -> Done:
        """A command that fails, and says all of `says` on stderr."""
        done = self.asof(*arguments, **more)
        self.assertEqual(done.code, code, done)
        for words in [says] if isinstance(says, str) else says:
            self.assertIn(words, done.err, done)
        self.assertIn("error: ", done.err, done)
        return done

    def sql(self, *statements: str) -> list[list[str]]:
        """Runs statements in DuckDB, in the repository's folder: makes files and reads them back."""
        program = os.environ.get("ASOF_E2E_SQL", "")
        if not Path(program).is_file():
            raise missing("there is no e2e_sql; build it, and name it in ASOF_E2E_SQL")
        done = subprocess.run([program, *statements], cwd=self.path, capture_output=True, text=True, timeout=TIMEOUT_S,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def parquet(self, name: str, select: str) -> Path:
        """Writes what a SELECT gives to a Parquet file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.sql(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        return path


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
