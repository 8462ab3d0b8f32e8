"""`python -m lrcn` is `lrcn`."""

import sys

from lrcn.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
