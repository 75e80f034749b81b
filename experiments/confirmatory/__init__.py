"""The confirmatory Gram experiment; its rules are in ``docs/decisions/0008-confirmatory-experiment.md``."""
