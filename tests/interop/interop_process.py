# SPDX-License-Identifier: MIT
"""Other people's programs as child processes: what they print, in time or not at all.

A Child's output is read by a thread as it comes; tests wait for a condition on it, with a bound,
and never for a time. Every Child is ended by its own process id.
"""
import os
import signal
import subprocess
import threading

TIMEOUT = float(os.environ.get("BUD_TIMEOUT", "20"))
SHOWN_BYTES = 6000
ENVIRONMENT = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


class Child:
    """A running program. `out` grows; `wait_for` sleeps until it says what was asked for."""

    def __init__(self, command, stdin=None, cwd=None, stdout=None, **environment):
        """`stdout` is a file that takes standard output; `out` is then standard error alone."""
        self.command = [str(word) for word in command]
        self.condition, self.out, self.is_open = threading.Condition(), bytearray(), True
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE if stdout else subprocess.STDOUT, cwd=cwd,
            env={**ENVIRONMENT, **environment})
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()
        if stdin is not None:
            self.write(stdin)
            self.process.stdin.close()

    def _collect(self):
        descriptor = (self.process.stdout or self.process.stderr).fileno()
        while chunk := os.read(descriptor, 65536):
            with self.condition:
                self.out += chunk
                self.condition.notify_all()
        with self.condition:
            self.is_open = False
            self.condition.notify_all()

    def write(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: whoever waits for its answer says so

    def output(self):
        with self.condition:
            return bytes(self.out)

    def wait_for(self, test, what, timeout=TIMEOUT):
        """Returns test(output) as soon as that is true; fails when it cannot become so."""
        with self.condition:
            self.condition.wait_for(lambda: test(bytes(self.out)) or not self.is_open, timeout)
            found = test(bytes(self.out))
            why = "within the time" if self.is_open else "before it ended"
        assert found, f"{what}: not {why}\n{self}"
        return found

    def finish(self, timeout=TIMEOUT):
        """Waits for its own end, which must be exit status 0; returns the output."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end\n{self}") from None
        self.reader.join()
        assert status == 0, f"exit status {status}\n{self}"
        return self.output()

    def stop(self, number=signal.SIGTERM):
        """Asks it to end as its user would; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end on signal {number}\n{self}") from None
        self.reader.join()
        return status

    def kill(self):
        """kill -9: no DISCONNECT, no farewell."""
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def __str__(self):
        text = self.output()[-SHOWN_BYTES:].decode("utf-8", "backslashreplace")
        return f"{' '.join(self.command)}\n{text}"


def run(command, stdin=b"", timeout=TIMEOUT, **environment):
    """Runs a program to its end, which must be a success; returns what it printed."""
    return Child(command, stdin, **environment).finish(timeout)
