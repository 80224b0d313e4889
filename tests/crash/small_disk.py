# SPDX-License-Identifier: MIT
"""A file system of a test's own, small, in memory, and mounted where nobody else sees it.

A process in a user and mount namespace of its own mounts it and keeps it; brokers join that
namespace, so they can be killed and started again on the same disk. Needs no root. The test
reaches the files through /proc.
"""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from server import Broker

HOLD = 'mount -t tmpfs -o size={size} tmpfs "$1" && echo ready && exec cat'


class SmallDisk:
    def __init__(self, directory, size):
        self.mount_point = Path(directory)
        self.mount_point.mkdir(parents=True)
        self.holder = subprocess.Popen(
            ["unshare", "-rm", "sh", "-c", HOLD.format(size=size), "sh", str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            reason = self.holder.stderr.read().strip()
            self.end()
            pytest.skip(f"no file system can be mounted here: {reason}")
        self.path = Path(f"/proc/{self.holder.pid}/root{directory}")

    def end(self):
        self.holder.kill()
        self.holder.wait()
        for stream in (self.holder.stdin, self.holder.stdout, self.holder.stderr):
            stream.close()

    def enter(self):
        return ["nsenter", "-t", str(self.holder.pid), "-U", "-m", "--preserve-credentials"]

    def free(self):
        return shutil.disk_usage(self.path).free

    def leave_free(self, size):
        """Something else takes space, or gives it back, until so much is left."""
        ballast = self.path / "ballast"
        has = ballast.stat().st_size if ballast.exists() else 0
        wanted = max(0, has + self.free() - size)
        with ballast.open("ab") as file:
            if wanted < has:
                file.truncate(wanted)
            elif wanted > has:
                os.posix_fallocate(file.fileno(), has, wanted - has)

    def fill(self):
        """To the last page, whatever else is written meanwhile."""
        for size in (1 << 20, 4096):
            with (self.path / "last").open("ab", buffering=0) as file:
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def make_read_only(self):
        command = ["mount", "-o", "remount,ro", str(self.mount_point)]
        subprocess.run([*self.enter(), *command], check=True)

    def empty(self):
        (self.path / "ballast").unlink(missing_ok=True)
        (self.path / "last").unlink(missing_ok=True)


class DiskBroker(Broker):
    """Its log is on the machine's disk, its store on the small one."""

    def __init__(self, disk, directory, *options, **keywords):
        super().__init__(directory, *options, **keywords)
        self.disk = disk

    def command(self):
        command = super().command()
        command[command.index("--data") + 1] = str(self.disk.mount_point / "data")
        return [*self.disk.enter(), "--", *command]
