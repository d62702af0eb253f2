"""Peers that run in the same run where they are installed (`make bench-peers` installs them, pinned, beside the results)."""

import json
import pathlib
import subprocess

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "peers"
MODULES = {"polars": "polars", "pandas": "pandas", "feast": "feast"}
# Requests a second of Feast 0.67.0 on a machine of this kind (2 cores, AMD EPYC), its best of one and two workers and of 1, 8 and 32
# connections, on Redis: what stands in for a run of it where it is not installed.
FEAST_RECORDED = {"1x50": 1056, "10x50": 181, "100x50": 34.5, "50x200": 14.0, "100x200": 6.8}


class Peers:
    def __init__(self, out):
        self.python = out / "venv" / "bin" / "python"
        self.feast_file = out / "feast.json"
        self.installed = {name: self._imports(module) for name, module in MODULES.items()}

    def _imports(self, module):
        if not self.python.exists():
            return None
        found = subprocess.run([self.python, "-c", f"import importlib.metadata as m; print(m.version('{module}'))"],
                               capture_output=True, text=True, check=False)
        return found.stdout.strip() if found.returncode == 0 else None

    def has(self, name):
        return self.installed[name] is not None

    def title(self, name):
        return {"duckdb": "DuckDB"}.get(name, f"{name} {self.installed.get(name) or ''}".strip())

    @staticmethod
    def script(name):
        return SCRIPTS / f"{name}_join.py"

    def feast_rates(self):
        """Feast's best requests a second by shape, and whose figures they are."""
        if self.feast_file.exists():
            return {"rates": json.loads(self.feast_file.read_text()), "source": f"{self.title('feast')}, this machine"}
        return {"rates": FEAST_RECORDED, "source": "feast 0.67.0, recorded"}
