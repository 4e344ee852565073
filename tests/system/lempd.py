"""Starts, watches and stops a real lempd with a data directory of its own.

LEMPD names the program (default: build/lempd of this checkout), LEMPCTL the
command line tool (default: beside it)."""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEMPD = os.environ.get("LEMPD") or str(ROOT / "build" / "lempd")
LEMPCTL = os.environ.get("LEMPCTL") or str(pathlib.Path(LEMPD).parent / "lempctl")
READY = re.compile(r"^lempd (\S+) ready on (ws://127\.0\.0\.1:(\d+)/\S*)$")
START_SECONDS = 20
STOP_SECONDS = 10  # interface.md: exit 0 within 10 s
SANITIZER = re.compile(r"(AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:)")

# For tests that take long and care little for the number of threads.
once = pytest.mark.parametrize("threads", [2], indirect=True, ids=["2-threads"])
# For tests that tell from what happens to one user that it has happened to another.
one_thread = pytest.mark.parametrize("threads", [1], indirect=True, ids=["1-thread"])

Account = collections.namedtuple("Account", "name token")
Run = collections.namedtuple("Run", "status out err")


class StartFailed(Exception):
    def __init__(self, status, out, err):
        super().__init__(f"lempd ended with {status} before it was ready\n{out}{err}")
        self.status, self.out, self.err = status, out, err


def run(*args, program=None, env=None, stdin=None, timeout=30):
    """Runs lempd, or another program, to its end: for --check, --help and starts that must fail."""
    done = subprocess.run([program or LEMPD, *map(str, args)], input=stdin, capture_output=True,
                          text=True, timeout=timeout, env={**os.environ, **(env or {})})
    return Run(done.returncode, done.stdout, done.stderr)


def settings_for_tests(threads, engine="embedded"):
    """Quick tokens, and no pings unless a test asks for them."""
    settings = {
        "server.threads": threads,
        "auth.token_hash": "blake2b",
        "delivery.ack_ping_delay": "1h",
        "log.level": "debug",
    }
    if engine != "embedded":
        settings["store.engine"] = engine
    return settings


class Lempd:
    """One server; start() and kill() may alternate on the same data and port."""

    def __init__(self, settings, args=(), env=None, data=None):
        self.settings = dict(settings)
        self.args = list(args)
        self.env = dict(env or {})
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="lempd-"))  # short: socket paths
        self.data = pathlib.Path(data) if data else self.home / "data"
        self.log_path = self.home / "log"
        self.port = 0
        self.process = None
        self.ready_line = None
        self.version = None
        self.admin = None

    # -- life ---------------------------------------------------------------

    def command(self):
        words = [LEMPD, "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        for key, value in self.settings.items():
            words += ["--set", f"{key}={value}"]
        return words + self.args

    def start(self):
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log,
                                            env={**os.environ, **self.env})
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline().decode()
        finally:
            watchdog.cancel()
        ready = READY.match(line.rstrip("\n"))
        if not ready:
            rest = self.process.stdout.read().decode()
            self.process.kill()
            status = self.process.wait()
            self._gone()
            raise StartFailed(status, line + rest, self.log())
        self.ready_line = line
        self.version, self.url, self.port = ready[1], ready[2], int(ready[3])
        return self

    def start_again(self):
        """On the same port, which an outgoing connection of somebody may hold for a moment."""
        for attempt in range(50):
            try:
                return self.start()
            except StartFailed as failed:
                if failed.status != 69 or attempt == 49:
                    raise
                time.sleep(0.1)

    def start_and_kill(self, seconds):
        """Starts it and kills it so soon after, ready or not."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log,
                                            env={**os.environ, **self.env})
        time.sleep(seconds)
        self.kill()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._gone()

    def terminate(self, sig=signal.SIGTERM):
        """Asks it to end; returns the exit status."""
        self.process.send_signal(sig)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = f"still running {STOP_SECONDS} s after {sig.name}"
        self.rest_of_output = self.process.stdout.read().decode()
        self._gone()
        return status

    def _gone(self):
        self.process.stdout.close()
        self.process = None

    def dispose(self):
        """Ends it, whatever state it is in, and removes its files. Returns what was wrong."""
        wrong = None
        if self.process:
            if self.process.poll() is not None:
                wrong = f"lempd ended by itself with status {self.process.returncode}"
                self._gone()
            else:
                status = self.terminate()
                if status != 0:
                    wrong = f"after SIGTERM lempd ended with status {status}"
        report = SANITIZER.search(self.log())
        if report:
            wrong = f"a sanitizer reported: {report[0]}"
        if wrong:
            wrong += "\n" + self.log_tail()
        shutil.rmtree(self.home, ignore_errors=True)
        return wrong

    # -- looking at it ------------------------------------------------------

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="surrogateescape") if self.log_path.exists() else ""

    def log_tail(self, lines=60):
        return "\n".join(self.log().splitlines()[-lines:])

    def rss_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1])

    def data_bytes(self):
        """Every byte of every file in the data directory, by path."""
        return {p: p.read_bytes() for p in self.data.rglob("*") if p.is_file()}

    # -- administration -----------------------------------------------------

    def ctl(self, *args, stdin=None, timeout=30):
        done = subprocess.run([LEMPCTL, "--socket", str(self.data / "admin.sock"), *map(str, args)],
                              input=stdin, capture_output=True, text=True, timeout=timeout)
        return Run(done.returncode, done.stdout, done.stderr)

    def ctl_ok(self, *args, stdin=None):
        done = self.ctl(*args, stdin=stdin)
        assert done.status == 0, f"lempctl {args}: {done}"
        return done.out

    def ctl_json(self, *args):
        return json.loads(self.ctl_ok("--json", *args))

    def add_user(self, name, token=None, admin=False):
        token = token or f"token of {name}"
        self.ctl_ok("user", "add", name, "--token", token, *(["--admin"] if admin else []))
        return Account(name, token)

    def import_users(self, names, token="a token"):
        rows = "".join(f"{name},{token},0\n" for name in names)
        self.ctl_ok("user", "import", "-", stdin=rows)
        return [Account(name, token) for name in names]

    def admin_account(self):
        if not self.admin:
            self.admin = self.add_user("admin", admin=True)
        return self.admin


def sanitized():
    """Is the program built with a sanitizer? Then figures about memory mean nothing."""
    try:
        program = pathlib.Path(LEMPD).read_bytes()
    except OSError:
        return False
    return b"__asan_init" in program or b"__tsan_init" in program
