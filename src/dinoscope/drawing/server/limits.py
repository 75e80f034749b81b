"""What one request to a local page may bring."""

UPLOAD_BYTES = 64 * 2**20
"""Of one uploaded file, at most."""
