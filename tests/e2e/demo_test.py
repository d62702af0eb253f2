"""`make demo` prints what the README promises, whatever day it is."""

import os
import subprocess
import shutil
import unittest

import repository

DEMO = repository.ROOT / "examples/recommender/demo.sh"

TRAINING_SET = """\
user_id  event_timestamp      user_segment  watch_count_30d  last_genre
8a2f     2026-05-05 12:00:00  casual        22               (null)
b13c     2026-05-07 20:00:00  casual        5                thriller
8a2f     2026-05-07 22:00:00  power_user    47               documentary
"""
ONLINE = """\
user_id:8a2f -> {"user_segment":"power_user","watch_count_30d":47,"last_genre":"documentary"}
user_id:b13c -> {"user_segment":"casual","watch_count_30d":5,"last_genre":"thriller"}
"""
MISSING = 'user_id:ffff -> {"user_segment":null,"watch_count_30d":null,"last_genre":null}\n'
ANSWER = (
    '{"user_id":"8a2f","features":{"user_segment":"power_user","watch_count_30d":47,"last_genre":"documentary"}}\n'
)
PROMPT = """\
System: You recommend shows for a streaming service.
User context: segment=power_user, watched 47 titles in last 30 days, last genre watched: documentary.
Task: suggest 3 titles in a friendly, short message.
"""
FEATURES = {
    "user_segment": ["user", "string", "data/user_segment.parquet", "daily"],
    "watch_count_30d": ["user", "int64", "data/watch_counts.parquet", "hourly"],
    "last_genre": ["user", "string", "data/watches.parquet", "per event"],
}


class Demo(unittest.TestCase):
    maxDiff = None

    def run_demo(self, **more):
        done = subprocess.run([DEMO], env=repository.environment(ASOF=repository.PROGRAM, **more), capture_output=True,
                              text=True, timeout=repository.TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        return done.stdout

    def check(self, out: str):
        for part in (TRAINING_SET, ONLINE, MISSING, ANSWER, PROMPT):
            self.assertIn(part, out)
        for name, columns in FEATURES.items():
            line = next(line for line in out.splitlines() if line.startswith(name + " "))
            for column in columns:
                self.assertIn(column, line)
        self.assertIn("What to try next", out)

    def test_prints_what_is_promised_on_the_embedded_store(self):
        self.check(self.run_demo())

    def test_prints_the_same_with_a_redis_server(self):
        if shutil.which("redis-server") is None:
            raise repository.missing("redis-server is not installed")
        self.check(self.run_demo(ONLINE="redis"))

    def test_leaves_nothing_running_and_nothing_behind(self):
        folder = repository.tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.run_demo(TMPDIR=folder)
        self.assertEqual(os.listdir(folder), [])
        left = [pid for pid in os.listdir("/proc") if pid.isdigit() and works_in(pid, folder)]
        self.assertEqual(left, [])


def works_in(pid: str, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(folder)
    except OSError:
        return False


if __name__ == "__main__":
    repository.main()
