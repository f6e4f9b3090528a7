"""``python -m lossmeter`` is the command ``lossmeter``."""

from lossmeter.cli import main

if __name__ == "__main__":  # worker processes import this module again, and must not start a command
    raise SystemExit(main())
