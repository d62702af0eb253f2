"""Instructions of the inner loops, counted by callgrind: the same on a busy machine as on an idle one. Each is printed beside the count
that was recorded last (bench/instructions.json; `--record` writes the new ones)."""

import json
import pathlib
import re
import shutil

from suite import process

RECORDED = pathlib.Path(__file__).resolve().parents[1] / "instructions.json"


class Instructions:
    def __init__(self, suite):
        self.suite = suite

    def run(self):
        if shutil.which("valgrind") is None:
            print("(valgrind is not installed: no instructions are counted)")
            return
        recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
        micro, counts = self.suite.tools / "bench_micro", {}
        for line in process.run([micro, "--list"]).text.splitlines():
            name, operations = line.split("\t")
            counts[name] = round(self.count(micro, name) / int(operations), 1)
            before = recorded.get(name)
            change = f", {counts[name] / before - 1:+.1%}" if before else ""
            self.suite.report(f"instructions to {name}", f"{before or 'none'} recorded", f"{counts[name]}{change}",
                              before is None or counts[name] <= 1.02 * before, "callgrind bench_micro", part="instructions")
        if self.suite.record:
            RECORDED.write_text(json.dumps(counts, indent=2) + "\n")

    def count(self, micro, name):
        text = process.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measured",
                            f"--callgrind-out-file={self.suite.out / 'callgrind.out'}", micro, name]).text
        return int(re.search(r"Collected : (\d+)", text).group(1))
