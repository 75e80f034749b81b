"""Figures of what is not normal."""
