"""Where a collection of photographs comes from."""
