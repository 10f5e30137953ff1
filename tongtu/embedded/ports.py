"""Choice of TCP ports on the loopback address."""

import os
import random
import socket
from collections.abc import Iterable

import psutil

from tongtu.embedded.errors import EmbeddedError

HOST = "127.0.0.1"

# Below Linux's range for outgoing connections (32768-60999): a client that retries against a stopped server whose port
# lies in that range sooner or later gets the same port for its own side, connects to itself, and the server cannot
# come back.
_CANDIDATES = range(20000, 30000)


def is_free(port: int) -> bool:
    """True if a server could listen on the loopback port now."""
    with socket.socket() as probe:
        # As the servers do; without it, connections of a server that just stopped (TIME_WAIT) would count as use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_open(port: int) -> bool:
    """True if a server accepts connections on the loopback port now."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def listens(pid: int, port: int) -> bool:
    """True if it is this process that listens on the port, not another that was quicker to take it."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)


def free_port(taken: Iterable[int] = ()) -> int:
    """A free port from 20000-29999 that is not in `taken`."""
    taken = set(taken)
    for port in random.sample(_CANDIDATES, len(_CANDIDATES)):
        if port not in taken and is_free(port):
            return port
    raise EmbeddedError("no free TCP port between 20000 and 29999: stop some of the servers on this machine")


def choose_port(variable: str, default: int | None, taken: Iterable[int] = ()) -> int:
    """The port that the environment variable asks for; else the default if it is free; else any free one.

    Raises EmbeddedError if the port asked for is not a port or is in use.
    """
    taken = set(taken)
    asked = os.environ.get(variable)
    if not asked:
        return default if default is not None and default not in taken and is_free(default) else free_port(taken)
    if not asked.isascii() or not asked.isdigit() or not 0 < int(asked) < 65536:
        raise EmbeddedError(f"{variable}={asked} is not a TCP port: give a number from 1 to 65535, or unset it")
    if int(asked) in taken or not is_free(int(asked)):
        raise EmbeddedError(f"port {asked} ({variable}) is in use: stop what listens there, or give another or no port")
    return int(asked)
