"""`python -m tools`, the host command; see tools/cli."""

import sys

from tools.cli import main

sys.exit(main())
