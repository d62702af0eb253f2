"""The README's lines for a user's own data, run as they are typed."""

import os
import re
import signal
import subprocess
from pathlib import Path

import repository


class Readme(repository.Repository):
    def test_the_lines_for_your_own_data_run_as_they_are_typed(self):
        self.parquet("purchases.parquet", """
            SELECT * FROM (VALUES (42, now() - INTERVAL 3 DAY, 12.5::DOUBLE), (42, now() - INTERVAL 1 DAY, 7.25), (7, now() - INTERVAL 2 DAY, 3.0))
            t(user_id, purchased_at, amount)""")
        self.sql("""COPY (SELECT 42 AS user_id, now() - INTERVAL 2 DAY AS event_timestamp, 1 AS bought_again)
                    TO 'labels.csv' (FORMAT csv, HEADER)""")
        text = (repository.ROOT / "README.md").read_text()
        lines = re.search(r"## Your own data\n\n```\n(.*?)```", text, re.DOTALL).group(1).splitlines()
        self.assertIn("asof serve", lines[-1])
        (self.path / "bin").mkdir()
        (self.path / "bin/asof").symlink_to(Path(repository.PROGRAM).resolve())
        env = repository.environment(PATH=f"{self.path}/bin:{os.environ['PATH']}")
        said = ""
        for line in lines[:-1]:
            done = subprocess.run(["bash", "-c", line], cwd=self.path, env=env, capture_output=True, text=True,
                                  timeout=repository.TIMEOUT_S, check=False)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
            said += done.stdout
        self.assertIn('user_id:42 -> {"amount":7.25}', said)
        self.assertIn("No difference in 2 keys.", said)
        self.assertEqual(self.sql("SELECT bought_again, amount FROM 'train.parquet'"), [["1", "12.5"]])
        # Only the port is not as typed: another server may be on this machine.
        project = self.path / "asof.yaml"
        project.write_text(project.read_text().replace("port: 6566", "port: 0"))
        with subprocess.Popen(["bash", "-c", "exec " + lines[-1]], cwd=self.path, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as server:
            self.assertIn("Serving http://127.0.0.1:", server.stdout.readline())
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(timeout=60), 0)


if __name__ == "__main__":
    repository.main()
