# SPDX-License-Identifier: Apache-2.0
"""Answers with what the file `answer` beside it holds, as a WSGI and as an ASGI application."""
import pathlib

ANSWER = (pathlib.Path(__file__).parent / "answer").read_bytes()
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(ANSWER)))]


def wsgi(_environ, start_response):
    start_response("200 OK", HEADERS)
    return [ANSWER]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})
