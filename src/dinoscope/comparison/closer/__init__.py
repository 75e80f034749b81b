"""What a report shows only if asked: attention, colours between patches, norms before and after a repair."""
