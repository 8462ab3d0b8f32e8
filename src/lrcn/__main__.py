"""`python -m lrcn` is `lrcn`."""

from lrcn.cli.main import main

if __name__ == "__main__":
    main()
