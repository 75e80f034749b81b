"""Pure functions on arrays and tensors; one question per file."""
