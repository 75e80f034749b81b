"""From a file of tensors to an architecture and its parameters."""
