"""`python -m tongtu.embedded`: Kafka and MongoDB until Ctrl-C or SIGTERM."""

import signal
import sys
import threading

from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.infrastructure import infrastructure


def main() -> int:
    """Print the addresses as lines that a shell can take over, and wait."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with infrastructure() as started:
            print(f"TONGTU_KAFKA='{started.addresses.kafka}'")
            print(f"TONGTU_MONGODB='{started.addresses.mongodb}'", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
