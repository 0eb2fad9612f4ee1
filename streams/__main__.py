"""`python -m streams <agent>`."""

import sys

from streams.app import main

sys.exit(main())
