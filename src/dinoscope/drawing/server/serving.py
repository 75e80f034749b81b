"""An app on a socket of this machine until it is interrupted. Needs uvicorn."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from dinoscope.drawing.server.access import AccessGuard
from dinoscope.errors import InputError

GRACE_S = 1


def serve_app(
    make_app: Callable[[threading.Event], ASGIApp],
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
) -> None:
    """Serve an app behind its guard until Ctrl-C, then return with the socket closed.

    Args:
        make_app: the app, given what is set as soon as the server is interrupted, so that its jobs can stop.
        host: to listen on.
        port: 0 chooses a free one.
        on_ready: called with the address to open once requests are answered.

    Raises:
        InputError: the address cannot be listened on.
    """
    listener = listen(host, port)
    port = int(listener.getsockname()[1])
    closing = threading.Event()
    token = secrets.token_urlsafe()

    class Server(uvicorn.Server):
        """Tells running jobs to stop as soon as it is interrupted.

        uvicorn raises what it was interrupted by once more at its end. Of Ctrl-C that would be the second
        one, which ends a process of the command line at once, whatever is still to be tidied up.
        """

        def handle_exit(self, sig, frame):  # type: ignore[no-untyped-def]
            closing.set()
            if sig == signal.SIGINT:
                self.force_exit, self.should_exit = self.should_exit, True
            else:
                super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready(address(host, port, token))

    server = Server(
        uvicorn.Config(
            AccessGuard(make_app(closing), token=token, host=host, port=port),
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
    except KeyboardInterrupt:  # before it listened to signals, or after
        return
    finally:
        closing.set()
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        InputError: the address is taken, or not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot listen on {host} port {port}: {reason}; name another port, or 0 for a free one"
        ) from error


def address(host: str, port: int, token: str) -> str:
    """What to open in a browser on this machine."""
    shown = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    if ":" in shown and not shown.startswith("["):
        shown = f"[{shown}]"
    return f"http://{shown}:{port}/{token}/"
