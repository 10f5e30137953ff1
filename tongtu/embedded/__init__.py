"""A real Apache Kafka and a real MongoDB replica set for development, the demo and tests, from package registries."""

from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.home import default_home
from tongtu.embedded.infrastructure import Infrastructure, infrastructure
from tongtu.embedded.lock import Addresses, Running, running

__all__ = ["Addresses", "EmbeddedError", "Infrastructure", "Running", "default_home", "infrastructure", "running"]
