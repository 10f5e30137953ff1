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
            kafka, mongodb = started.addresses.kafka, started.addresses.mongodb
            sys.stdout.write(f"TONGTU_KAFKA='{kafka}'\nTONGTU_MONGODB='{mongodb}'\n")
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
