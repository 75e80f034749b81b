"""An app on a socket of this machine until it is interrupted. Needs uvicorn."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn

from dinoscope.present.gate import Gate

GRACE_S = 1


def run_app(
    gate: Gate, listener: socket.socket, *, closing: threading.Event, on_listening: Callable[[], None]
) -> None:
    """Serve until Ctrl-C, then return with the socket closed.

    Args:
        gate: the app behind its gate.
        listener: bound and listening.
        closing: set as soon as the server is interrupted, so that running jobs can stop.
        on_listening: called once requests are answered.
    """

    class Server(uvicorn.Server):
        """Tells running jobs to stop as soon as it is interrupted."""

        def handle_exit(self, sig, frame):  # type: ignore[no-untyped-def]
            closing.set()
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_listening()

    server = Server(
        uvicorn.Config(
            gate,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises it again once everything is closed
        return
    finally:
        closing.set()
        listener.close()
