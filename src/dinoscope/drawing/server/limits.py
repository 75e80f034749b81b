"""What one request to a local page may bring."""

UPLOAD_BYTES = 64 * 2**20
"""Of one uploaded file, at most."""

UPLOADS_BYTES = 192 * 2**20
"""Of all uploads that are being read or wait for their turn; who comes then waits before it is read."""

WAIT_S = 120.0
"""For room, and then for the whole upload."""
