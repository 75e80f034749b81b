"""Data on disk: photographs in, features in and out."""
