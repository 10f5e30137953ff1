"""`python -m services.notify` runs the notify service."""

import asyncio
import sys

from services.notify.app import main
from shared.runtime.settings import SettingsError

try:
    asyncio.run(main())
except SettingsError as error:
    sys.exit(str(error))
