"""Processes as the suite measures them: whole commands with their wall time, CPU and peak memory, and servers on free ports."""

import dataclasses
import math
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
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
    is_over: bool = False  # it came to a limit: the figures are what it had taken by then

    def told(self):
        return f"{self.seconds:.2f} s ({self.cpu:.2f} s of CPU), {self.peak_mb:,.0f} MB"


@dataclass(frozen=True)
class Limit:
    """What a peer may take: where it needs more, the line says so, and the suite goes on."""

    seconds: float
    megabytes: float = float("inf")  # of address space

    def __str__(self):
        return f"{self.seconds:.0f} s" + ("" if math.isinf(self.megabytes) else f" or {self.megabytes / 1000:.3g} GB")


def vars_of(result):
    """What a report keeps of a result."""
    kept = {"seconds": round(result.seconds, 3), "cpu": round(result.cpu, 3), "peak_mb": round(result.peak_mb)}
    return {**kept, "over": True} if result.is_over else kept


def run(command, cwd=None, env=None, limit=None):
    """Runs a command; start-up and output are part of what is measured. Exits where it fails, unless it has a limit that it may have
    come to."""
    command = [str(word) for word in command]
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT,
                                 preexec_fn=limit and (lambda: limit_memory(limit)))
        end = threading.Timer(limit.seconds if limit else 0, child.kill)
        if limit:
            end.start()
        _, status, usage = os.wait4(child.pid, 0)
        end.cancel()
        seconds = time.monotonic() - started
        out.seek(0)
        text = out.read().decode(errors="replace")
    child.returncode = os.waitstatus_to_exitcode(status)
    failed = child.returncode != 0
    is_over = failed and limit is not None and (seconds >= limit.seconds or "emory" in text)
    if failed and not is_over:
        sys.exit(f"bench: {' '.join(command)} failed:\n{text[-2000:]}")
    return Result(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text, is_over)


def limit_memory(limit):
    if not math.isinf(limit.megabytes):
        resource.setrlimit(resource.RLIMIT_AS, (int(limit.megabytes * 1e6),) * 2)


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
    """The fastest run, with the largest peak of all; one that came to its limit is none."""
    fastest = min(results, key=lambda result: (result.is_over, result.seconds))
    return dataclasses.replace(fastest, peak_mb=max(result.peak_mb for result in results))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process; stopped by its id when the block ends."""

    def __init__(self, command, port, ready, log, seconds=300):
        self.port = port
        self.command = [str(word) for word in command]
        self.started = time.monotonic()
        self.log = open(log, "w")
        # A process group of its own: a server that does not start goes with all that it has started.
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=self.log, process_group=0)
        deadline = self.started + seconds
        while not ready(port):
            if self.process.poll() is not None:
                sys.exit(f"bench: {self.command[0]} ended with {self.process.returncode}; see {log}")
            if time.monotonic() > deadline:
                os.killpg(self.process.pid, signal.SIGKILL)
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
        """CPU seconds used so far, by the process, its threads and the processes that it has started and that run."""
        return sum(cpu_of(pid) for pid in tree_of(self.process.pid))


def tree_of(pid):
    """A process and all that it started, theirs too."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [process for child in children for process in tree_of(int(child))]


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
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
