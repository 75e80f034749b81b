"""Procedural photographs with exact masks, labels and flow."""
