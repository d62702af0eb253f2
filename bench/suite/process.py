"""Processes as the suite measures them: whole commands with their wall time, CPU and peak memory, and servers on free ports."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Result:
    seconds: float
    cpu: float
    peak_mb: float
    text: str


def run(command, cwd=None, env=None):
    """Runs a command; start-up and output are part of what is measured. Exits where it fails."""
    command = [str(word) for word in command]
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        out.seek(0)
        text = out.read().decode(errors="replace")
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"bench: {' '.join(command)} failed:\n{text[-2000:]}")
    return Result(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def interleave(contenders, runs):
    """Runs each contender once a round, every other round in reverse order: machines are noisy, and what runs before counts.

    `contenders` maps a name to a function that returns a Result. Returns name -> results in order."""
    results = {name: [] for name in contenders}
    for turn in range(runs):
        order = list(contenders)
        for name in order if turn % 2 == 0 else reversed(order):
            results[name].append(contenders[name]())
    return results


def best(results):
    """The fastest run, with the largest peak of all."""
    fastest = min(results, key=lambda result: result.seconds)
    return Result(fastest.seconds, fastest.cpu, max(result.peak_mb for result in results), fastest.text)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process; stopped by its id when the block ends."""

    def __init__(self, command, port, ready, log, seconds=120):
        self.port = port
        self.command = [str(word) for word in command]
        self.started = time.monotonic()
        self.log = open(log, "w")
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=self.log)
        deadline = self.started + seconds
        while not ready(port):
            if self.process.poll() is not None:
                sys.exit(f"bench: {self.command[0]} ended with {self.process.returncode}; see {log}")
            if time.monotonic() > deadline:
                self.process.kill()
                sys.exit(f"bench: {self.command[0]} did not answer on port {port} within {seconds} s; see {log}")
            time.sleep(0.002)
        self.seconds_to_ready = time.monotonic() - self.started

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()

    def cpu(self):
        """CPU seconds used so far, by the process and its threads."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def answers_http(path):
    def ready(port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False
    return ready


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
