"""`python -m services.risk` runs the risk service."""

from services.risk.app import main
from shared.runtime.running import run

run(main)
