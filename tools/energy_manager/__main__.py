"""`python -m tools.energy_manager`."""

from .cli import main

raise SystemExit(main())
