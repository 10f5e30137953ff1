"""`python -m services.intake` runs intake."""

import asyncio
import sys

from services.intake.app import main
from shared.runtime.settings import SettingsError

try:
    asyncio.run(main())
except SettingsError as error:
    sys.exit(str(error))
