"""What one request to a local page may bring."""

UPLOAD_BYTES = 64 * 2**20
"""Most bytes of one uploaded file."""

UPLOADS_BYTES = 192 * 2**20
"""Most bytes of all uploads that are being read or wait; who comes then waits before it is read."""

WAIT_S = 120.0
"""For the whole of an upload that has room."""

TURN_S = 20.0
"""For room for an upload, or for a thread; who waits longer is told to ask again."""

JOBS = 8
"""Jobs of a live page that wait for their turn and tell of what runs; who comes then is told to ask again."""

AGAIN_S = 3
"""After which to ask again."""
