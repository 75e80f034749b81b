"""Every metric, each in a file of its own: what it is, how it is measured, and what it must do."""
