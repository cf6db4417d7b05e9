"""One program under test: started, watched, stopped. Dies with the harness, whatever happens to that."""

import ctypes
import os
import signal
import subprocess
import time

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Failure(AssertionError):
    """A test's expectation that did not hold; its text is for a person."""


def wait_until(what, condition, timeout=10.0, every=0.01):
    """Polls condition until it is true and returns its value. what completes 'waited in vain for …'."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout:g} s in vain for {what}")
        time.sleep(every)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """Its standard output goes to log, its standard error too, or to errors where that is given."""

    def __init__(self, name, argv, log, environment=None, errors=None):
        self.name, self.log, self.errors = name, log, errors or log
        self.argv = [str(part) for part in argv]
        self.ended_on_purpose = False
        with open(log, "ab") as output, open(self.errors, "ab") as trouble:
            output.write(f"# {' '.join(self.argv)}\n".encode())
            output.flush()
            self.child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=trouble,
                env={**os.environ, **(environment or {})}, preexec_fn=die_with_parent,
                start_new_session=True)  # Ctrl-C is for the harness, which then ends them in order

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def must_live(self):
        if not self.alive():
            raise Failure(f"{self.name} ended ({ending(self.child.returncode)}); the end of its log:\n{self.tail()}")
        return True

    def ready(self, what, condition, timeout=20.0):
        """Waits for condition, but not for a program that has ended."""
        wait_until(f"{self.name}: {what}", lambda: self.must_live() and condition(), timeout)

    def tail(self, lines=15):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return "".join("    " + line for line in file.readlines()[-lines:])

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self):
        """The lines of its log that are whole: one may be on its way."""
        return self.text().rpartition("\n")[0].splitlines()

    def send(self, number):
        if self.alive():
            self.child.send_signal(number)

    def kill(self):
        """kill -9, and gone on return."""
        self.ended_on_purpose = True
        self.send(signal.SIGKILL)
        self.child.wait()

    def freeze(self):
        self.send(signal.SIGSTOP)

    def thaw(self):
        self.send(signal.SIGCONT)

    def terminate(self, number=signal.SIGTERM, timeout=10.0):
        """Asks it to end; returns its exit status, or None when it had to be killed."""
        self.ended_on_purpose = True
        self.thaw()
        self.send(number)
        return self.wait(timeout)

    def wait(self, timeout=10.0):
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_nanoseconds(self):
        """Of all threads that are there now: finer than cpu_seconds(), which counts in hundredths."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total

    def resident(self):
        """Bytes of memory in use."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak(self):
        """The most bytes of memory that it has had in use."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) * 1024


def ending(status):
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
