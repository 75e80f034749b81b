"""The derived index: files beside a table that answer faster, and that can be deleted without loss."""
