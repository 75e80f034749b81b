"""``python -m dinoscope`` is the command ``dinoscope``."""

from dinoscope.cli import main

if __name__ == "__main__":
    main()
