"""`python -m registry_core`: the command line."""

import sys

from registry_core.cli.main import main

sys.exit(main())
