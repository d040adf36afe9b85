"""Keys of workers, where the socket is a port: whoever has none of them is not answered.

CurveZMQ alone (RFC 26) takes anybody who knows the server's public key; who may come in is for a
handler of ZAP to say (RFC 27), which pyzmq brings.
"""

from __future__ import annotations

import threading
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

#: What the socket calls itself to the handler.
DOMAIN = "wetlands"


class WorkerKeys:
    """The public keys of all workers that live. Safe to use from any thread."""

    def __init__(self, context: zmq.Context[Any]) -> None:
        self._lock = threading.Lock()
        self._known: set[bytes] = set()
        self._handler = ThreadAuthenticator(context)
        self._handler.start()
        self._handler.configure_curve_callback(DOMAIN, self)

    def guard(self, socket: Any) -> str:
        """Have a socket, before it is bound, take none but our workers; return its public key."""
        public, secret = zmq.curve_keypair()
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without a handler, nobody comes in
        return public.decode()

    def make(self) -> tuple[str, str]:
        """Return a new pair of keys, public and secret, for one worker."""
        public, secret = zmq.curve_keypair()
        with self._lock:
            self._known.add(public)
        return public.decode(), secret.decode()

    def revoke(self, public: str) -> None:
        """Forget the key of a worker that is gone."""
        with self._lock:
            self._known.discard(public.encode())

    def callback(self, domain: str, key: bytes) -> bool:
        """Say whether a peer with this public key may come in; called by the handler."""
        with self._lock:
            return key in self._known

    def close(self) -> None:
        """End the handler."""
        self._handler.stop()
