#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# hypercorn 0.18.0: --graceful-timeout holds for a server of one process; with --workers SIGTERM cuts the requests in flight.
#
# The documentation calls it the time to wait after SIGTERM for requests to end. A server of one process does wait. The
# supervisor of several doesn't: it ends its workers within half a second, and a client that waits for its answer reads the end
# of the stream. A rolling update that loses nothing with one worker loses requests with two.
#
# Seen with Python 3.11, --graceful-timeout 10, a request of 3 s in flight at SIGTERM:
#   one process  the one in flight: 200
#   --workers 2  the one in flight: closed without an answer
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet hypercorn==0.18.0
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

server = subprocess.Popen(["venv/bin/hypercorn", "--bind", "127.0.0.1:8099", "--graceful-timeout", "10", *sys.argv[1:],
                           "app:app"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
deadline = time.monotonic() + 60
while ask("/") != "200" and time.monotonic() < deadline:
    time.sleep(0.1)
answers = {}
slow = threading.Thread(target=lambda: answers.update(slow=ask("/slow")))
slow.start()
time.sleep(1)
server.terminate()
slow.join()
server.wait(30)
print(f"{' '.join(sys.argv[1:]) or 'one process'}: in flight {answers['slow']}")
PYTHON
for arguments in "" "--workers 2"; do
    # shellcheck disable=SC2086
    unshare --net sh -c 'ip link set lo up && exec venv/bin/python ask.py "$@"' sh $arguments
done | tee output
diff - output <<'WANTED' || { echo "changed" >&2; exit 1; }
one process: in flight 200
--workers 2: in flight closed
WANTED
