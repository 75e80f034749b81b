"""Photographs and a backbone in, features out, streamed."""
