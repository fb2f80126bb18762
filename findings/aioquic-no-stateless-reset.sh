#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# aioquic 1.7.2: a restarted server is silent towards clients of the one before; no stateless reset tells them to connect anew.
#
# The server announces a stateless reset token to each client (RFC 9000, 10.3), but never sends a packet that ends in one: what
# belongs to a connection that it doesn't know is dropped. So a client keeps sending into silence until its own idle timeout,
# and only then learns that its connection is gone. A pod that takes over another one's QUIC clients looks to them like a
# network that is down.
#
# Seen with Python 3.11 and an idle timeout of 6 s:
#   token announced by the server          yes
#   datagrams from the restarted server    0
#   the client learns of it                by its idle timeout
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet aioquic==1.7.2
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 1 -subj /CN=server 2>/dev/null
cat >server.py <<'PYTHON'
import asyncio
from aioquic.asyncio import serve
from aioquic.quic.configuration import QuicConfiguration

async def main():
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["echo"], idle_timeout=6)
    configuration.load_cert_chain("certificate", "key")
    await serve("127.0.0.1", 4433, configuration=configuration)
    print("serves", flush=True)
    await asyncio.Future()

asyncio.run(main())
PYTHON
cat >client.py <<'PYTHON'
import asyncio, ssl, subprocess, sys
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated

class Protocol(QuicConnectionProtocol):
    received, end = 0, None

    def datagram_received(self, data, address):
        self.received += 1
        super().datagram_received(data, address)

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.end = event.reason_phrase

def start():
    server = subprocess.Popen([sys.executable, "server.py"], stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "serves\n"
    return server

async def main():
    first = start()
    configuration = QuicConfiguration(alpn_protocols=["echo"], idle_timeout=6, verify_mode=ssl.CERT_NONE)
    async with connect("127.0.0.1", 4433, configuration=configuration, create_protocol=Protocol) as client:
        await client.ping()
        announced = any(cid.stateless_reset_token for cid in [client._quic._peer_cid, *client._quic._peer_cid_available])
        first.kill()
        first.wait()
        second = start()
        client.received = 0
        asyncio.ensure_future(client.ping()).add_done_callback(lambda ping: ping.exception())
        await client.wait_closed()
        second.kill()
    print("token announced by the server:", "yes" if announced else "no")
    print("datagrams from the restarted server:", client.received)
    print("the client learns of it:", client.end)

asyncio.run(main())
PYTHON
unshare --net --pid --fork --kill-child sh -c 'ip link set lo up && exec timeout 60 venv/bin/python client.py' | tee output
diff - output <<'WANTED' || { echo "changed" >&2; exit 1; }
token announced by the server: yes
datagrams from the restarted server: 0
the client learns of it: Idle timeout
WANTED
