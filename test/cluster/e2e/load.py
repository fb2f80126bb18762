#!/usr/bin/python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""A client from outside that counts what fails.

load.py [--kept N] [--new N] [--pause SECONDS] [--timeout SECONDS] URL...

For each URL: so many threads that open a connection for each request (new), and so many that keep theirs until the server says
`Connection: close` (kept). A request fails that isn't answered with a status below 500: also the one of a kept connection that the
server closed without a word, which a browser would repeat. Says "ready" on stdout once each thread has had an answer, "not ready" where one
had none in time; when its stdin ends, it stops and prints a JSON object: asked, failed (by reason), answered (by the body's last word: who it was).
"""
import argparse
import collections
import http.client
import json
import ssl
import sys
import threading
import time
import urllib.parse

TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE


class Counts:
    """Of one URL and kind; its threads share it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.asked, self.failed, self.answered = 0, collections.Counter(), collections.Counter()
        self.failed_at = []  # seconds since the beginning

    def answer(self, who):
        with self.lock:
            self.asked += 1
            self.answered[who] += 1

    def failure(self, why, at):
        with self.lock:
            self.asked += 1
            self.failed[why] += 1
            self.failed_at.append(round(at, 2))

    def to_json(self):
        with self.lock:
            return {"asked": self.asked, "failed": dict(self.failed), "failedAt": self.failed_at[:20],
                    "answered": dict(self.answered)}


class Client(threading.Thread):
    def __init__(self, url, kept, counts, options, stop):
        super().__init__(daemon=True)
        self.url, self.kept, self.counts, self.options, self.stop = urllib.parse.urlsplit(url), kept, counts, options, stop
        self.ready = threading.Event()
        self.connection = None
        self.began = time.monotonic()

    def connect(self):
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        tls = {"context": TLS} if self.url.scheme == "https" else {}
        self.connection = kind(self.url.hostname, self.url.port, timeout=self.options.timeout, **tls)

    def drop(self):
        self.connection.close()
        self.connection = None

    def ask(self):
        if self.connection is None:
            self.connect()
        self.connection.request("GET", self.url.path or "/", headers={} if self.kept else {"Connection": "close"})
        response = self.connection.getresponse()
        body = response.read()
        if response.status >= 500:
            raise http.client.HTTPException(f"status {response.status}")
        who = body.split()[-1].decode() if self.options.names and body.split() else str(response.status)
        self.counts.answer(who)
        self.ready.set()
        if not self.kept or response.will_close:
            self.drop()

    def run(self):
        while not self.stop.is_set():
            try:
                self.ask()
            except (OSError, http.client.HTTPException) as error:
                self.counts.failure(f"{type(error).__name__}: {error}", time.monotonic() - self.began)
                self.drop()
            self.stop.wait(self.options.pause)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--new", type=int, default=2)
    parser.add_argument("--kept", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.02)
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("--names", action="store_true", help="bodies end with a name of who answers")
    options = parser.parse_args()
    stop, clients, counts = threading.Event(), [], {}
    for url in options.urls:
        for kind, number in (("new", options.new), ("kept", options.kept)):
            shared = counts[f"{kind} {url}"] = Counts()
            clients += [Client(url, kind == "kept", shared, options, stop) for _ in range(number)]
    for client in clients:
        client.start()
    end = time.monotonic() + options.timeout
    ready = all(client.ready.wait(max(0, end - time.monotonic())) for client in clients)
    print("ready" if ready else "not ready", flush=True)
    sys.stdin.read()
    stop.set()
    for client in clients:
        client.join(options.timeout + 1)
    print(json.dumps({name: each.to_json() for name, each in counts.items()}))


if __name__ == "__main__":
    main()
