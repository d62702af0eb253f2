"""Peers that run in the same run where they are installed (`make bench-peers` installs them, pinned, beside the results)."""

import pathlib
import subprocess

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "peers"
# Each in the environment that `make bench-peers` makes for it: Feast brings 80 packages, which would decide the others' versions.
ENVIRONMENTS = {"polars": "venv", "pandas": "venv", "feast": "venv-feast"}
# Requests a second of Feast 0.67.0 on a machine of this kind (2 cores, AMD EPYC), its best of one and two workers and of 1, 8 and 32
# connections, on Redis: what stands in for a run of it where it is not installed.
FEAST_RECORDED = {"1x50": 1056, "10x50": 181, "100x50": 34.5, "50x200": 14.0, "100x200": 6.8}


class Peers:
    def __init__(self, out):
        self.out = out
        self.installed = {name: self._version(name) for name in ENVIRONMENTS}
        self.measured_rates = None

    def python_of(self, name):
        return self.out / ENVIRONMENTS[name] / "bin" / "python"

    def _version(self, name):
        python = self.python_of(name)
        if not python.exists():
            return None
        found = subprocess.run([python, "-c", f"import importlib.metadata as m; print(m.version('{name}'))"],
                               capture_output=True, text=True, check=False)
        return found.stdout.strip() if found.returncode == 0 else None

    def has(self, name):
        return self.installed[name] is not None

    def title(self, name):
        return {"duckdb": "DuckDB"}.get(name, f"{name} {self.installed.get(name) or ''}".strip())

    @staticmethod
    def script(name):
        return SCRIPTS / f"{name}.py"

    def set_feast_rates(self, rates):
        """What the part `feast` has measured in this run."""
        self.measured_rates = rates

    def feast_rates(self):
        """Feast's best requests a second by shape, and whose figures they are."""
        if self.measured_rates:
            return {"rates": self.measured_rates, "source": f"{self.title('feast')}, in this run"}
        return {"rates": FEAST_RECORDED, "source": "feast 0.67.0, recorded"}
