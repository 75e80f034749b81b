"""For anybody's training: an anchor for its patches, and an eye on them."""
