"""The wire between us and a stand-in: it refuses, hangs, resets or drags when it is told to.

python -m watchkeeper.sandbox.wire --to 127.0.0.1:PORT [--tls-as NAME [--ca-file PATH]]
    [--port 0] [--tied]

With --tls-as it speaks TLS, with a certificate that an authority of that name has issued.
`control` of the ready line takes GET, and PUT of a behaviour: {"mode": "slow", "delay_s": 0.5}.
"""

import argparse
import asyncio
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import trustme

from watchkeeper.sandbox import serving
from watchkeeper.sandbox.forwarder import Address, Behaviour, Forwarder, behaviour, terminate_tls
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve

CHANGES_WITHIN_S = 5.0
T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own: the control is served by plain threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CHANGES_WITHIN_S)


class Wire:
    def __init__(self, loop: Loop, forwarder: Forwarder) -> None:
        self.loop, self.forwarder = loop, forwarder

    def app(self, ask: Ask) -> Reply:
        match ask.method, ask.path:
            case "GET", "/_sim/wire":
                return self.state()
            case "PUT", "/_sim/wire":
                return self.behave(ask)
        return NOT_FOUND

    def behave(self, ask: Ask) -> Reply:
        try:
            wanted = behaviour(ask.json())
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        self.loop.run(self.forwarder.behave(wanted))
        return self.state()

    def state(self) -> Reply:
        said = asdict(self.forwarder.behaviour)
        return as_json(200, {**said, "accepted": self.forwarder.accepted})


def issued_by(name: str, ca_file: Path | None) -> ssl.SSLContext:
    """A certificate for loopback from an authority that nobody trusts but who reads `ca_file`."""
    authority = trustme.CA(organization_name=name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(serving.LOOPBACK, "localhost").configure_cert(context)
    if ca_file is not None:
        authority.cert_pem.write_to_path(str(ca_file))
    return context


def loopback_address(text: str) -> Address:
    """Raises argparse's error: a stand-in reaches nobody but its like."""
    host, _, port = text.rpartition(":")
    if host not in (serving.LOOPBACK, "localhost") or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not {serving.LOOPBACK}:PORT")
    return serving.LOOPBACK, int(port)


async def _started(options: argparse.Namespace) -> Forwarder:
    to = options.to
    if options.tls_as:
        to = await terminate_tls(issued_by(options.tls_as, options.ca_file), to)
    forwarder = Forwarder(to, options.port)
    await forwarder.behave(Behaviour())
    return forwarder


def main(argv: list[str] | None = None) -> None:
    parser = serving.parser("wire", "A wire to another stand-in, as bad as it is told to be.")
    parser.add_argument("--to", type=loopback_address, required=True, help="where it leads")
    parser.add_argument("--tls-as", default="", help="speak TLS, issued by an authority so named")
    parser.add_argument("--ca-file", type=Path, help="where to write that authority")
    options = parser.parse_args(argv)
    serving.obey(options.tied)
    loop = Loop()
    forwarder = loop.run(_started(options))
    sock = serving.listen()
    here = f"{serving.LOOPBACK}:{forwarder.port}"
    serving.ready(
        "wire",
        f"{'https' if options.tls_as else 'http'}://{here}",
        control=f"http://{serving.LOOPBACK}:{serving.port_of(sock)}/_sim/wire",
        ca_file=str(options.ca_file or ""),
    )
    serve(sock, Wire(loop, forwarder).app)


if __name__ == "__main__":
    main()
