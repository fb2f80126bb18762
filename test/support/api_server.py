#!/usr/bin/env python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Stands in for a Kubernetes API server: TLS by OpenSSL, lists and watches of pods, Events, and what goes wrong with them.

usage: api_server.py DIRECTORY [ADDRESS [PORT]]

Makes in DIRECTORY: `ca.crt` and a `token`; `port`, once it listens; `requests`, a line for each: its token, a tab, its
target; `events`, a line for each object that it took. Does what it reads, a JSON object a line, from the FIFO `commands`, in this order:
  {"pods": [POD...], "version": "10"}   what lists say from now on
  {"page": 2}                           so many pods a page
  {"behave": HOW}                       from now on: "well"; "refuse", with "status" and perhaps "message", "retry"; "hang",
                                        no answer; "silent", no TLS; "garbage"; "cut", a head and half a body
  {"body": [[TEXT, TIMES]...]}          what lists are from now on, as it is
  {"event": EVENT}                      to whoever watches, now
  {"raw": TEXT}                         the same, as it is
  {"end": "well"}                       ends watches; "cut": without a word
  {"authority": true}                   another one signs from now on, and is in `ca.crt`
"""
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

LOCK = threading.Condition()


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make_certificates(directory, address):
    """An authority and what it signs, of the curve that Kubernetes' own tools take."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(directory, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.new", "-subj", "/CN=kubernetes", "-days", "2")
    openssl(directory, "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=kube-apiserver")
    with open(f"{directory}/names", "w") as names:
        names.write(f"subjectAltName=DNS:kubernetes.default.svc,IP:{address}\n")
    openssl(directory, "x509", "-req", "-in", "server.csr", "-CA", "ca.new", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-out", "server.crt", "-extfile", "names")
    os.replace(f"{directory}/ca.new", f"{directory}/ca.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/server.crt", f"{directory}/server.key")
    return context


class Server:
    def __init__(self, directory, address):
        self.directory, self.address = directory, address
        self.context = make_certificates(directory, address)
        self.pods, self.version, self.page, self.body = [], "1", 500, None
        self.behave = {"behave": "well"}
        self.sent = []  # what watches are sent: bytes, or how they end
        self.requests = open(f"{directory}/requests", "w", buffering=1)
        self.obeyed = open(f"{directory}/obeyed", "wb", buffering=0)  # a byte for each command
        self.events, self.event_names = open(f"{directory}/events", "w", buffering=1), set()

    def obey(self, command):
        with LOCK:
            if "pods" in command:
                self.pods, self.version, self.body = command["pods"], command["version"], None
            self.page = command.get("page", self.page)
            if "behave" in command:
                self.behave = command
            self.body = command.get("body", self.body)
            if "event" in command:
                self.sent.append((json.dumps(command["event"]) + "\n").encode())
            if "raw" in command:
                self.sent.append(command["raw"].encode())
            if "end" in command:
                self.sent.append(command["end"])
            if "authority" in command:
                self.context = make_certificates(self.directory, self.address)
            LOCK.notify_all()

    def serve(self, plain):
        try:
            with LOCK:
                behave, context = self.behave, self.context
            if behave["behave"] == "silent":
                time.sleep(600)
            with context.wrap_socket(plain, server_side=True) as connection:
                self.answer(connection, behave)
        except OSError:
            pass  # a client that has seen enough
        finally:
            plain.close()

    def answer(self, connection, behave):
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(4096)
            if not more:
                return
            head += more
        head, body = head.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        method, target = lines[0].split(" ")[:2]
        token = [line.split(" ")[2] for line in lines if line.startswith("Authorization: Bearer ")]
        with LOCK:
            place = len(self.sent)
            self.requests.write(f"{''.join(token)}\t{target}\n")
        how = behave["behave"]
        if how == "hang":
            time.sleep(600)
        elif how == "garbage":
            connection.sendall(b"\x00\xffSSH-2.0 what?\r\n\r\n" * 5000)
        elif how == "refuse":
            refuse(connection, behave)
        elif method == "POST":
            length = [int(line.split(" ")[1]) for line in lines if line.startswith("Content-Length: ")][0]
            while len(body) < length:
                body += connection.recv(4096)
            self.take(connection, json.loads(body))
        elif "watch=true" in target:
            self.watch(connection, place)
        else:
            self.list(connection, target, how == "cut")
        if how != "cut":
            connection.unwrap()

    def take(self, connection, event):
        name = f"{event['metadata']['namespace']}/{event['metadata']['name']}"
        with LOCK:
            known = name in self.event_names
            if not known:
                self.event_names.add(name)
                self.events.write(json.dumps(event) + "\n")
        if known:
            refuse(connection, {"status": 409, "message": f"events {name} already exists"})
        else:
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")

    def list(self, connection, target, cut):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
        with LOCK:
            first = int(query.get("continue", ["0"])[0])
            metadata = {"resourceVersion": self.version}
            if first + self.page < len(self.pods):
                metadata["continue"] = str(first + self.page)
            answer = {"kind": "PodList", "apiVersion": "v1", "metadata": metadata,
                      "items": self.pods[first:first + self.page]}
            body = self.body or [[json.dumps(answer), 1]]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for text, times in body:
            for _ in range(times):
                send_in_chunks(connection, text.encode()[:len(text) // 2] if cut else text.encode())
        if not cut:
            connection.sendall(b"0\r\n\r\n")

    def watch(self, connection, place):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            with LOCK:
                LOCK.wait_for(lambda: place < len(self.sent))
                part = self.sent[place]
            place += 1
            if part == "well":
                connection.sendall(b"0\r\n\r\n")
                return
            if part == "cut":
                raise OSError
            send_in_chunks(connection, part)


def refuse(connection, behave):
    body = json.dumps({"kind": "Status", "code": behave["status"], "message": behave.get("message", "")}).encode()
    retry = f"Retry-After: {behave['retry']}\r\n" if "retry" in behave else ""
    connection.sendall(f"HTTP/1.1 {behave['status']} No\r\n{retry}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def send_in_chunks(connection, body):
    """Small ones at first, in records of their own, so that nothing ends where something else does."""
    at, size = 0, 7
    while at < len(body):
        part = body[at:at + size]
        connection.sendall(f"{len(part):x}\r\n".encode())
        connection.sendall(part + b"\r\n")
        at, size = at + size, min(size * 3, 60000)


def obey_commands(server):
    descriptor = os.open(f"{server.directory}/commands", os.O_RDWR)  # never at its end, with a writer of our own
    with os.fdopen(descriptor, "rb", buffering=0) as commands:
        line = b""
        while True:
            line += os.read(commands.fileno(), 65536)
            *complete, line = line.split(b"\n")
            for command in complete:
                server.obey(json.loads(command))
                server.obeyed.write(b".")


def main():
    directory = sys.argv[1]
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    server = Server(directory, address)
    os.mkfifo(f"{directory}/commands")
    with open(f"{directory}/token", "w") as token:
        token.write("first-token\n")
    # At all addresses; the certificate is for one.
    listener = socket.create_server(("", port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    threading.Thread(target=obey_commands, args=(server,), daemon=True).start()
    with open(f"{directory}/port.new", "w") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(f"{directory}/port.new", f"{directory}/port")
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=server.serve, args=(plain,), daemon=True).start()


main()
