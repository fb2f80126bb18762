# SPDX-License-Identifier: Apache-2.0
"""quic_client.py <address> <port> <control port>: one HTTP/3 connection (aioquic's) through a NAT of its own.

Takes a line and answers with a line on the control port of 127.0.0.1: `ask` makes a request, whose answer is said, or
`silence`; `rebind` has the NAT send from another port from now on, of which neither end is told.
"""
import asyncio
import ssl
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration

PATIENCE = 3  # seconds; a connection whose packets go to a stranger is silent for 30


class Nat(asyncio.DatagramProtocol):
    """What comes from the client goes to the server, from a port that can be changed; and back."""

    def __init__(self, server):
        self._server = server
        self._client = self._inside = self._outside = None

    def connection_made(self, transport):
        self._inside = transport

    def datagram_received(self, data, addr):
        self._client = addr
        self._outside.sendto(data)

    async def rebind(self):
        nat = self

        class Outside(asyncio.DatagramProtocol):
            def datagram_received(self, data, addr):
                nat._inside.sendto(data, nat._client)

        former = self._outside
        loop = asyncio.get_running_loop()
        self._outside, _ = await loop.create_datagram_endpoint(Outside, remote_addr=self._server)
        if former:
            former.close()


class Http3(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._http = H3Connection(self._quic)
        self._answers = {}

    def quic_event_received(self, event):
        for received in self._http.handle_event(event):
            if isinstance(received, DataReceived) and received.data:
                self._answers[received.stream_id].set_result(received.data.decode())

    async def ask(self):
        stream = self._quic.get_next_available_stream_id()
        self._answers[stream] = asyncio.get_running_loop().create_future()
        self._http.send_headers(
            stream,
            [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"gateway.test"), (b":path", b"/")],
            end_stream=True,
        )
        self.transmit()
        try:
            return await asyncio.wait_for(self._answers[stream], PATIENCE)
        except asyncio.TimeoutError:
            return "silence"


async def main(address, port, control_port):
    loop = asyncio.get_running_loop()
    _, nat = await loop.create_datagram_endpoint(lambda: Nat((address, port)), local_addr=("127.0.0.1", 0))
    await nat.rebind()
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name="gateway.test")
    inside = nat._inside.get_extra_info("sockname")[1]
    async with connect("127.0.0.1", inside, configuration=configuration, create_protocol=Http3) as connection:

        async def obey(reader, writer):
            while line := await reader.readline():
                if line == b"rebind\n":
                    await nat.rebind()
                    writer.write(b"done\n")
                else:
                    writer.write((await connection.ask()).encode() + b"\n")

        await asyncio.start_server(obey, "127.0.0.1", control_port)
        await asyncio.Future()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
