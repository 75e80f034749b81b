"""The laboratory's report."""
