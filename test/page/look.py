#!/usr/bin/env python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Looks at a page in headless Chromium, at several widths, and prints as JSON what there was to see.

usage: look.py URL DIRECTORY WAIT_FOR [VIEW...]   a view is a width in pixels, `-dark` after it for a dark one

Waits in each view until the page's text has WAIT_FOR, then takes a screenshot (DIRECTORY/<view>.png). Speaks the DevTools
protocol over two pipes: no port is opened, nothing but Python's own library is needed. Exit code 77: no Chromium here.
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import time

PATIENCE = 30  # seconds

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"]

# What the page looks like to its readers: its text, whether it is wider than the window, and elements that reach out of it.
SEE = """(() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > width + 1 || box.left < -1) && !element.closest(".scroll, .unseen, thead");
  }).map((element) => `${element.tagName}.${element.getAttribute("class") || ""}`);
  return JSON.stringify({
    text: document.body.innerText, title: document.title,
    windowWidth: width, pageWidth: document.documentElement.scrollWidth, pageHeight: document.documentElement.scrollHeight,
    reachOut: wide.slice(0, 5),
    nameless: [...document.querySelectorAll("svg, input, table")].filter((element) =>
      !element.getAttribute("aria-label") && !element.labels?.length && !element.caption && element.id !== "remaps").length,
    scripts: document.scripts.length, images: document.images.length,
    drawn: [...document.querySelectorAll("path.edge")].filter((path) => path.getAttribute("d")).length,
  });
})()"""


class Browser:
    def __init__(self, profile):
        to_browser, self.write_to = os.pipe()
        self.read_from, from_browser = os.pipe()

        def hand_over():  # Chromium reads from descriptor 3 and writes to 4
            high_in, high_out = os.dup2(to_browser, 203), os.dup2(from_browser, 204)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=hand_over, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile, "DBUS_SESSION_BUS_ADDRESS": "disabled:"})
        os.close(to_browser)
        os.close(from_browser)
        self.last = 0
        self.buffer = b""
        self.events = []

    def receive(self):
        while b"\0" not in self.buffer:
            data = os.read(self.read_from, 65536)
            if not data:
                raise RuntimeError("Chromium ended")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write_to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def close(self):
        self.process.kill()
        self.process.wait()


def complaints(events):
    """What the page's own script or the browser had to say about it."""
    said = []
    for event in events:
        parameters = event.get("params", {})
        if event["method"] == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            said.append(details.get("exception", {}).get("description", details["text"]))
        elif event["method"] == "Runtime.consoleAPICalled":
            said.append(" ".join(str(argument.get("value")) for argument in parameters["args"]))
        elif event["method"] == "Log.entryAdded":
            said.append(parameters["entry"]["text"])
    return said


def look(browser, url, directory, wait_for, view):
    width, _, scheme = view.partition("-")
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(method, **parameters):
        return browser.call(method, session=session, **parameters)

    def evaluate(expression):
        return call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    for domain in ("Page", "Runtime", "Log", "Network"):
        call(domain + ".enable")
    size = {"width": int(width), "height": 900, "deviceScaleFactor": 1, "mobile": int(width) < 600}
    call("Emulation.setDeviceMetricsOverride", **size)
    call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme or "light"}])
    browser.events = []
    call("Page.navigate", url=url)

    end = time.monotonic() + PATIENCE
    while wait_for not in (evaluate("document.body ? document.body.innerText : ''") or "") and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(float(os.environ.get("LOOK_FOR", "4.5")))  # for two more answers: charts have a line then
    seen = json.loads(evaluate(SEE))
    call("Emulation.setDeviceMetricsOverride", **{**size, "height": max(900, seen["pageHeight"])})
    image = call("Page.captureScreenshot", format="png")["data"]
    with open(os.path.join(directory, view + ".png"), "wb") as file:
        file.write(base64.b64decode(image))
    requests = [event["params"]["request"]["url"] for event in browser.events
                if event["method"] == "Network.requestWillBeSent"]
    seen.update(view=view, complaints=complaints(browser.events), requests=sorted(set(requests)))
    browser.call("Target.closeTarget", targetId=target)
    return seen


def main():
    if not shutil.which("chromium"):
        sys.exit(77)
    url, directory, wait_for, *views = sys.argv[1:]
    profile = os.path.join(directory, "profile")
    os.makedirs(profile, exist_ok=True)
    browser = Browser(profile)
    try:
        print(json.dumps([look(browser, url, directory, wait_for, view) for view in views or ["1280", "390"]]))
    finally:
        browser.close()


main()
