"""Watcher between this program and a server: ends the server when the program is gone, however it went.

Run as a script by its path, with one JSON argument; imports nothing of the project, so it starts in 30 ms.
Two ways lead to the server's end. The program holds the write end of a pipe (`lifeline`): its end, even by SIGKILL,
closes the pipe and the watcher kills the server. And where the kernel can (Linux), the server asks to be killed when
the watcher ends (PDEATHSIG): that signal goes by thread, so only a program with one thread, as this, can rely on it.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _end_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    watcher = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != watcher:  # it ended between the fork and the line above
            os._exit(1)

    return ask


def main(order: str) -> int:
    """Start the server that the order names, report its process id, wait for its end or the program's."""
    task = json.loads(order)
    program = os.getppid()
    awake_read, awake_write = os.pipe()
    os.set_blocking(awake_write, False)
    signal.set_wakeup_fd(awake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)  # a handler is needed for the wake-up to happen
    try:
        server = subprocess.Popen(  # noqa: S603 - the program's own order
            task["command"],
            stdin=subprocess.DEVNULL,
            preexec_fn=_end_with_parent(),  # safe where there is one thread
            pass_fds=task["held"],
        )
    except OSError as error:
        os.write(task["report"], json.dumps({"error": error.strerror or str(error)}).encode())
        return 127
    os.write(task["report"], json.dumps({"pid": server.pid}).encode())
    os.close(task["report"])
    while server.poll() is None:
        # The time limit is for a fork of the program that holds the pipe's other end open after the program's death.
        readable, _, _ = select.select([task["lifeline"], awake_read], [], [], 1.0)
        if task["lifeline"] in readable or os.getppid() != program:
            server.kill()
            server.wait()
        elif awake_read in readable:
            os.read(awake_read, 512)
    if task["cleanup"]:
        nowhere = subprocess.DEVNULL
        subprocess.run(task["cleanup"], stdin=nowhere, stdout=nowhere, stderr=nowhere, check=False)  # noqa: S603
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
