"""Exit code 0 if the service in this container answers /ready with 200; for the image's HEALTHCHECK.

Runs every few seconds beside the service, so it speaks HTTP over a bare socket: with `python -I -S` that takes less
than half of the processor time of urllib (measured: 23 ms instead of 56).
"""

import os
import socket
import sys

_LIMIT = 2.0  # seconds
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on


def main() -> int:
    """Ask once; one line says why if the answer is no."""
    host = os.environ.get("TONGTU_HEALTH_HOST", "")
    port = os.environ.get("TONGTU_HEALTH_PORT", "")
    try:
        with socket.create_connection((_LOOPBACK.get(host, host), int(port)), timeout=_LIMIT) as connection:
            connection.sendall(b"GET /ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
            status = connection.makefile("rb").readline().split(b" ", 1)[-1].strip()
    except (OSError, ValueError) as error:
        print(f"no answer on {host}:{port}: {error}", file=sys.stderr)  # noqa: T201 - kept by the container runtime
        return 1
    print(status.decode(errors="replace"))  # noqa: T201
    return 0 if status.startswith(b"200") else 1


if __name__ == "__main__":
    sys.exit(main())
