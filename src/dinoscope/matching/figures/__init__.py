"""Figures of matches."""
