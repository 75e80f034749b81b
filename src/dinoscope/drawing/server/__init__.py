"""A page served on this machine only."""
