"""`python -m services.matching` runs the matching service."""

import asyncio
import sys

from services.matching.app import main
from shared.runtime.settings import SettingsError

try:
    asyncio.run(main())
except (SettingsError, FileNotFoundError) as error:
    sys.exit(str(error))
