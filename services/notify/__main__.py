"""`python -m services.notify` runs the notify service."""

from services.notify.app import main
from shared.runtime.running import run

run(main)
