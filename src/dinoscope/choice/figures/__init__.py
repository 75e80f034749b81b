"""Figures of a choice."""
