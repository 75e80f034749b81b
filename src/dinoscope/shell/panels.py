"""The headings under which every command lists its arguments and options, in this order."""

from __future__ import annotations

INPUT = "Input"
MODEL = "Model"
COMPUTE = "Compute"
OUTPUT = "Output"
OTHER = "Other"
PANELS = (INPUT, MODEL, "", COMPUTE, OUTPUT, OTHER)
"""The empty one is the place of those that a command has for itself."""
