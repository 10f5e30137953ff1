"""`python -m services.matching` runs the matching service."""

from services.matching.app import main
from shared.runtime.running import run

run(main, FileNotFoundError)
