#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# uvicorn 0.54.0: what a client meets that connects while the server drains after SIGTERM depends on --workers.
#
# One process closes its listening socket at once, and clients are refused: a balancer or a client's retry goes elsewhere. With
# --workers the supervisor keeps the socket open until its workers have ended, so the kernel goes on completing handshakes. Such
# a client is connected, sends its request, hears nothing for as long as the longest request of others takes, and is then reset.
# Readiness by "does it listen?" is wrong for all that time.
#
# Seen with Python 3.11, a request of 3 s in flight at SIGTERM:
#   one process  new connection: ConnectionRefusedError  the one in flight: 200
#   --workers 2  new connection: ConnectionResetError    the one in flight: 200
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet uvicorn==0.54.0
cat >app.py <<'PYTHON'
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    await asyncio.sleep(3 if scope["path"] == "/slow" else 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})
PYTHON
cat >ask.py <<'PYTHON'
import socket, subprocess, sys, threading, time

def ask(path):
    try:
        with socket.create_connection(("127.0.0.1", 8099), timeout=30) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: server\r\n\r\n".encode())
            return connection.recv(12).decode()[9:] or "closed"
    except OSError as error:
        return type(error).__name__

server = subprocess.Popen(["venv/bin/uvicorn", "--port", "8099", *sys.argv[1:], "app:app"], stderr=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL)
deadline = time.monotonic() + 60
while ask("/") != "200" and time.monotonic() < deadline:
    time.sleep(0.1)
answers = {}
slow = threading.Thread(target=lambda: answers.update(slow=ask("/slow")))
slow.start()
time.sleep(1)
server.terminate()
time.sleep(0.7)
new = ask("/")
slow.join()
server.wait(30)
print(f"{' '.join(sys.argv[1:]) or 'one process'}: new {new}, in flight {answers['slow']}")
PYTHON
for arguments in "" "--workers 2"; do
    # shellcheck disable=SC2086
    unshare --net sh -c 'ip link set lo up && exec venv/bin/python ask.py "$@"' sh $arguments
done | tee output
diff - output <<'WANTED' || { echo "changed" >&2; exit 1; }
one process: new ConnectionRefusedError, in flight 200
--workers 2: new ConnectionResetError, in flight 200
WANTED
