"""`python -m services.gateway` runs the gateway."""

from services.gateway.app import main
from shared.runtime.running import run

run(main)
