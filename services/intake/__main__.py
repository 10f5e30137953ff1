"""`python -m services.intake` runs intake."""

from services.intake.app import main
from shared.runtime.running import run

run(main)
