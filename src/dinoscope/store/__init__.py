"""The feature store: tables of vectors and maps on disk."""
