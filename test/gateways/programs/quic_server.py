# SPDX-License-Identifier: Apache-2.0
"""Answers with what the file `answer` beside it holds: HTTP/3 on UDP port 9443, HTTP/1 on port 9080."""
import asyncio
import pathlib

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

HERE = pathlib.Path(__file__).parent
ANSWER = (HERE / "answer").read_bytes()


class Http3(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._http = H3Connection(self._quic)

    def quic_event_received(self, event):
        for received in self._http.handle_event(event):
            if isinstance(received, HeadersReceived):
                self._http.send_headers(received.stream_id, [(b":status", b"200")])
                self._http.send_data(received.stream_id, ANSWER, end_stream=True)
                self.transmit()


async def http1(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))
    await writer.drain()
    writer.close()


async def main():
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False)
    configuration.load_cert_chain(HERE / "certificate.pem", HERE / "key.pem")
    await serve("0.0.0.0", 9443, configuration=configuration, create_protocol=Http3)
    await asyncio.start_server(http1, "0.0.0.0", 9080)
    await asyncio.Future()


asyncio.run(main())
