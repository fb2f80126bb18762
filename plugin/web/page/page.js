/* Copyright The Sallyport Authors. SPDX-License-Identifier: Apache-2.0 */

/*
 * Asks for /status.json every two seconds while somebody looks, and shows it. Names of pods are other people's input:
 * whatever comes from there goes into the page as text (textContent), never as markup.
 */
"use strict";

const interval = 2000; // ms between two answers
const patience = 8000; // ms for one
const kept = 90; // points of a chart: three minutes
const few = 20; // as wide as so many, where there are fewer
const shown = 60; // node ports at once; the filter finds the others

const byId = (id) => document.getElementById(id);
const history = new Map(); // of a chart's key: its points, oldest first

/* ---- words and numbers ---------------------------------------------------------------------------------------- */

const whole = new Intl.NumberFormat("en");

function scaled(value, units) {
  let unit = 0;
  for (; value >= 999.5 && unit + 1 < units.length; unit++) value /= 1000;
  const digits = value >= 99.5 || (unit === 0 && Number.isInteger(value)) ? 0 : 1;
  return value.toFixed(digits) + units[unit];
}

const perSecond = (value) => (value === null ? "–" : scaled(value, ["/s", "k/s", "M/s"]));
const bytesPerSecond = (value) => (value === null ? "–" : scaled(value, [" B/s", " kB/s", " MB/s", " GB/s"]));
const count = (number, one, many) => `${whole.format(number)} ${number === 1 ? one : many}`;
const bracketed = (address) => (address.includes(":") ? `[${address}]` : address);
const podName = (pod) => (pod.namespace ? `${pod.namespace}/${pod.pod}` : pod.pod);
const sum = (items, value) => items.reduce((total, item) => total + value(item), 0);
const distinct = (items) => [...new Set(items)];
const times = (number) => count(number, "time", "times");

/* IPv4 first, as people know it. */
const byFamily = (a, b) => a.includes(":") - b.includes(":") || (a < b ? -1 : 1);

function listing(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return count(Math.floor(seconds / 86400), "day", "days");
}

/* Of others' text: controls, and what turns the direction of the text around it, show as what they are not. */
function harmless(words) {
  return words.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "?");
}

/* ---- elements ------------------------------------------------------------------------------------------------- */

function make(tag, attributes, ...children) {
  const svg = tag === "svg" || tag === "path";
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, harmless(String(value)));
  made.append(...children.map((child) => (typeof child === "string" ? harmless(child) : child))); // strings become text
  return made;
}

/* What hasn't changed isn't touched: a selection stays, and screen readers stay quiet. */
function text(element, words) {
  const value = harmless(String(words));
  if (element.textContent !== value) element.textContent = value;
}

function attribute(element, name, words) {
  const value = harmless(String(words));
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/* Children for items, in their order; those of items that were there before are kept. */
function sync(parent, items, key, create, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let child = before.get(name);
    before.delete(name);
    if (!child) {
      child = create(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const gone of before.values()) gone.remove();
}

/* ---- charts --------------------------------------------------------------------------------------------------- */

function remember(key, value) {
  const points = history.get(key) || [];
  if (value !== null) points.push(value);
  history.set(key, points.slice(-kept));
}

function rememberPorts(groups) {
  const current = groups.flatMap((group) => charts.map(([key]) => [`${group.key} ${key}`, group[key]]));
  for (const [key, value] of current) remember(key, value);
  const keys = new Set(current.map(([key]) => key));
  for (const key of history.keys()) if (key.includes("/") && !keys.has(key)) history.delete(key); // a port that is gone
}

function chart(color) {
  return make("svg", { class: `spark ${color}`, viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img" },
    make("path", { class: "area" }), make("path", { class: "edge" }));
}

function draw(svg, key, what, format) {
  const points = history.get(key) || [];
  const peak = Math.max(...points, 0);
  const last = points.length > 0 ? points[points.length - 1] : null;
  const step = 100 / (Math.max(points.length, few) - 1);
  const places = points.map((value, i) => {
    const x = 100 - (points.length - 1 - i) * step;
    const y = 28.5 - (peak > 0 ? (value / peak) * 26 : 0);
    return `${x.toFixed(2)} ${y.toFixed(2)}`;
  });
  const edge = places.length > 1 ? `M${places.join("L")}` : "";
  const area = edge ? `${edge}L100 30L${(100 - (points.length - 1) * step).toFixed(2)} 30Z` : "";
  attribute(svg.children[0], "d", area);
  attribute(svg.children[1], "d", edge);
  attribute(svg, "aria-label", last === null ? `${what}: not known yet`
    : `${what}: ${format(last)} now, at most ${format(peak)} in the last ${duration(points.length * interval)}`);
}

/* ---- what is in the answer ------------------------------------------------------------------------------------ */

/* 0.0.0.0:80 and [::]:80 are one port to people: one card, and each pod in it once. */
function grouped(status) {
  const rates = status.ratesOverMs !== null;
  const groups = new Map();
  for (const entry of status.nodePorts) {
    const key = `${entry.port}/${entry.protocol}`;
    const group = groups.get(key) || { key, port: entry.port, protocol: entry.protocol, entries: [] };
    group.entries.push(entry);
    groups.set(key, group);
  }
  const all = [...groups.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
  for (const group of all) {
    const total = (value) => (rates ? sum(group.entries, value) : null);
    group.connections = total((entry) => entry.rates.connectionsPerSecond);
    group.in = total((entry) => entry.rates.bytesPerSecondFromClient);
    group.out = total((entry) => entry.rates.bytesPerSecondFromPod);
    group.pods = podsOf(group);
    group.served = group.pods.some((pod) => pod.takesNew);
    const waits = group.entries.map((entry) => entry.waitsForPodMs).filter((ms) => ms !== null);
    group.waits = group.pods.length === 0 && waits.length > 0 ? Math.max(...waits) : null;
  }
  return all;
}

function podsOf(group) {
  const pods = new Map();
  for (const entry of group.entries)
    for (const place of entry.pods) {
      const pod = pods.get(place.containerID) || { id: place.containerID, name: podName(place), places: [], flows: 0 };
      pod.places.push(place);
      pod.flows += place.flows;
      pods.set(place.containerID, pod);
    }
  for (const pod of pods.values()) {
    pod.takesNew = pod.places.some((place) => place.takesNew);
    pod.listens = pod.places.some((place) => place.listening);
    pod.since = Math.max(...pod.places.map((place) => place.listeningForMs));
    // Of places that are alike the reason is said once.
    const telling = pod.places.filter((place) => place.takesNew === pod.takesNew);
    pod.why = distinct(telling.map((place) => place.why)).join("; ");
  }
  return [...pods.values()];
}

function listenersOf(pod) {
  const listeners = new Map();
  for (const place of pod.places) listeners.set(`${bracketed(place.address)}:${place.listener}`, place.listening);
  return [...listeners].sort(([a], [b]) => byFamily(a, b));
}

/* ---- a node port's card --------------------------------------------------------------------------------------- */

const charts = [
  ["connections", "New connections", perSecond],
  ["in", "In", bytesPerSecond],
  ["out", "Out", bytesPerSecond],
];

function makePort(group) {
  const card = make("article", { class: "port card", "aria-label": `Node port ${group.key}` });
  card.append(
    make("header", {}, make("h3", {}, String(group.port), make("small", {}, `/${group.protocol}`)),
      make("p", { class: "total" }), make("p", { class: "where" }), make("p", { class: "total" })),
    make("div", { class: "charts" },
      ...charts.map(([key, what]) => make("div", { class: "chart" }, make("p", {}, what, make("b")), chart(key)))),
    make("p", { class: "waiting", hidden: "" }),
    make("table", { role: "table" },
      make("caption", { class: "unseen" }, `Pods behind node port ${group.key}, youngest first`),
      make("thead", { role: "rowgroup" }, make("tr", { role: "row" },
        ...["Pod", "Listens on", "New connections"].map((title) => make("th", { scope: "col", role: "columnheader" }, title)),
        make("th", { scope: "col", role: "columnheader", class: "number" }, "Flows"))),
      make("tbody", { role: "rowgroup" })));
  return card;
}

function makePod() {
  const cell = (kind, ...children) => make("td", { role: "cell", class: kind }, ...children);
  return make("tr", { role: "row" }, cell("pod", make("span"), make("small")), cell("mono"),
    cell("", make("span", { class: "takes" }), make("span", { class: "why" })), cell("number"));
}

function updatePod(row, pod) {
  const [name, listeners, takes, flows] = row.cells;
  text(name.children[0], pod.name);
  text(name.children[1], pod.listens && pod.since >= 1000 ? `serving for ${duration(pod.since)}` : "");
  sync(listeners, listenersOf(pod), ([address]) => address, ([address]) => make("span", {}, address), (element, [address, on]) => {
    attribute(element, "class", on ? "listener on" : "listener");
    attribute(element, "title", on ? `serves at ${address}` : `isn't known to serve at ${address}`);
  });
  attribute(takes.children[0], "class", pod.takesNew ? "takes on" : "takes");
  text(takes.children[0], pod.takesNew ? "takes them" : "takes none");
  text(takes.children[1], pod.why);
  text(flows, whole.format(pod.flows));
}

function sharingText(entry) {
  return entry.share + (entry.settleMs > 0 ? ` · settle ${entry.settleMs / 1000}s` : "") +
    (entry.holdMs > 0 ? ` · hold ${entry.holdMs / 1000}s` : "");
}

function addressesText(addresses) {
  const all = addresses.length === 2 && addresses.includes("0.0.0.0") && addresses.includes("::");
  return all ? "all addresses" : listing([...addresses].sort(byFamily));
}

function updatePort(card, group) {
  attribute(card, "class", `port card ${group.served ? "" : group.waits !== null ? "waits" : "bad"}`.trim());
  const [, total, where, counters] = card.children[0].children;
  text(total, count(sum(group.entries, (entry) => entry.connectionsTotal), "connection", "connections"));
  text(where, `on ${addressesText(group.entries.map((entry) => entry.address))} · ${sharingText(group.entries[0])}`);
  const handovers = sum(group.entries, (entry) => entry.handovers);
  const held = sum(group.entries, (entry) => entry.held);
  text(counters, [handovers > 0 ? count(handovers, "handover", "handovers") : "", held > 0 ? `${whole.format(held)} held` : ""]
    .filter((part) => part).join(" · "));
  charts.forEach(([key, what, format], i) => {
    const place = card.children[1].children[i];
    text(place.children[0].children[0], format(group[key]));
    draw(place.children[1], `${group.key} ${key}`, what, format);
  });
  card.children[2].hidden = group.pods.length > 0;
  text(card.children[2], group.waits === null ? "No pod." : `No pod is left. New connections wait ${duration(group.waits + 999)} more for the next one.`);
  card.children[3].hidden = group.pods.length === 0;
  sync(card.children[3].tBodies[0], group.pods, (pod) => pod.id, makePod, updatePod);
}

function matches(group, words) {
  const all = [group.key, ...group.pods.map((pod) => pod.name)].join(" ").toLowerCase();
  return words.every((word) => all.includes(word));
}

function showPorts(groups) {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter((word) => word);
  const found = groups.filter((group) => matches(group, words));
  byId("filter-label").hidden = groups.length < 8;
  byId("ports-none").hidden = groups.length > 0;
  byId("ports-more").hidden = groups.length === 0 || (found.length > 0 && found.length <= shown);
  text(byId("ports-more"), found.length === 0 ? "No node port and no pod has that in its name."
    : `${whole.format(shown)} of ${whole.format(found.length)} are shown; the filter finds the others.`);
  sync(byId("ports"), found.slice(0, shown), (group) => group.key, makePort, updatePort);
}

/* ---- the rest of the page ------------------------------------------------------------------------------------- */

function showVerdict(groups) {
  const unserved = groups.filter((group) => !group.served).map((group) => group.key);
  const pods = distinct(groups.flatMap((group) => group.pods.map((pod) => pod.id))).length;
  const good = groups.length > 0 && unserved.length === 0;
  const listed = unserved.slice(0, 4).join(", ") + (unserved.length > 4 ? ` and ${unserved.length - 4} more` : "");
  text(byId("verdict"), groups.length === 0 ? "No port of this node is held"
    : good ? (groups.length === 1 ? "The node port is served" : `All ${groups.length} node ports are served`)
      : `Nobody serves ${listed}`);
  text(byId("verdict-more"), groups.length === 0 ? "Traffic passes as if Sallyport weren't here."
    : `${count(groups.length, "node port", "node ports")}, ${count(pods, "pod", "pods")}`);
  const mark = byId("verdict-mark");
  attribute(mark, "class", `mark ${groups.length === 0 ? "" : good ? "good" : "bad"}`.trim());
  text(mark, groups.length === 0 ? "–" : good ? "✓" : "!");
}

function showTiles(status, groups) {
  const total = (key) => (status.ratesOverMs === null ? null : sum(groups, (group) => group[key]));
  const flows = status.flows.established + status.flows.answered + status.flows.new;
  const tiles = [
    { key: "connections", what: "New connections", value: total("connections"), format: perSecond,
      more: `${whole.format(sum(status.nodePorts, (entry) => entry.connectionsTotal))} so far` },
    { key: "in", what: "From clients", value: total("in"), format: bytesPerSecond, more: "to pods" },
    { key: "out", what: "To clients", value: total("out"), format: bytesPerSecond, more: "from pods" },
    { key: "flows", what: "Live flows", value: flows, format: (value) => whole.format(Math.round(value)),
      more: `${whole.format(status.flows.established + status.flows.answered)} established, ${whole.format(status.flows.new)} new` },
  ];
  for (const tile of tiles) remember(tile.key, tile.value);
  sync(byId("tiles"), tiles, (tile) => tile.key, (tile) =>
    make("div", { class: "tile card" }, make("h3", {}, tile.what), make("p", { class: "value" }), make("p", { class: "more" }),
      chart(tile.key)),
  (element, tile) => {
    text(element.children[1], tile.value === null ? "–" : tile.format(tile.value));
    text(element.children[2], tile.more);
    draw(element.children[3], tile.key, tile.what, tile.format);
  });
}

/* What one pod does to one port at both of its "any" addresses is one event to people. */
function merged(events) {
  const all = [];
  for (const event of events) {
    const port = event.nodePort.replace(/^(0\.0\.0\.0|\[::\]):/, "");
    const last = all[all.length - 1];
    const same = last && ["kind", "pod", "from", "remap", "word", "client"].every((key) => last[key] === event[key]) && event.pod;
    if (same && last.port === port && last.number - event.number < 3) continue;
    all.push({ ...event, port });
  }
  return all;
}

function eventText(event) {
  switch (event.kind) {
    case "bind":
      return event.remap ? `${event.pod} remaps ${event.port} to ${event.backend}` : `${event.pod} takes ${event.port}`;
    case "unbind":
      return `${event.pod} leaves ${event.port}`;
    case "handover":
      return `${event.port}: new connections go to ${event.pod}, no longer to ${event.from}`;
    case "hold":
      return `${event.client} waits for a pod that serves behind ${event.port}`;
    case "refusal":
      return `${event.pod} refused ${event.client} at ${event.port}` + (event.outcome === "kept" ? ", who asks again" : "");
    case "reject":
      return `${event.pod} was refused: ${event.reason}`;
    case "word":
      return `${event.pod} is ${event.word}, Kubernetes says`;
    default:
      return `a packet from ${event.client} to ${event.port} was dropped: ${event.reason.replaceAll("_", " ")}`;
  }
}

function showEvents(events) {
  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
  byId("events-none").hidden = events.length > 0;
  byId("events").hidden = events.length === 0;
  sync(byId("events"), merged(events), (event) => `${event.number} ${event.time}`, (event) =>
    make("li", {}, make("time", { datetime: event.time, title: new Date(event.time).toString() }, clock.format(new Date(event.time))),
      make("span", { class: `kind ${event.kind}` }, event.kind), make("span", { class: "text" })),
  (element, event) => text(element.children[2], eventText(event)));
}

function answeredText(status) {
  const texts = (prefixes) => listing(prefixes.map((prefix) => prefix.replace(/\/(32|128)$/, "")));
  const excluded = status.excludedAddresses;
  return (texts(status.addresses) || "no address") + (excluded.length > 0 ? `; not ${texts(excluded)}` : "");
}

function showNode(status) {
  const drops = Object.entries(status.drops);
  const dropped = sum(drops, ([, packets]) => packets);
  const facts = [
    ["Devices", listing(status.devices) || "none", false],
    ["Answers on", answeredText(status), false],
    ["Dropped", dropped === 0 ? "no packet" : drops.filter(([, packets]) => packets > 0)
      .map(([reason, packets]) => `${count(packets, "packet", "packets")}: ${reason.replaceAll("_", " ")}`).join(", "), dropped > 0],
    ["Refused", status.agent.conflicts === 0 ? "no pod" : `${count(status.agent.conflicts, "pod", "pods")}, as the port was taken`, false],
    ["Repairs", status.agent.reattached === 0 ? "none" : `attached again ${times(status.agent.reattached)}`, false],
  ];
  sync(byId("facts"), facts, ([name]) => name, ([name]) => make("div", {}, make("dt", {}, name), make("dd")),
    (element, [, value, bad]) => {
      text(element.children[1], value);
      attribute(element.children[1], "class", bad ? "bad" : "");
    });
  byId("remaps-part").hidden = status.remaps.length === 0;
  sync(byId("remaps").tBodies[0], status.remaps, (remap) => `${remap.containerID} ${remap.address} ${remap.port}/${remap.protocol}`,
    () => make("tr", {}, make("td", { class: "mono" }), make("td", { class: "mono" }), make("td"), make("td", { class: "number" })),
    (row, remap) => {
      text(row.cells[0], `${bracketed(remap.address)}:${remap.port}/${remap.protocol}`);
      text(row.cells[1], `:${remap.containerPort}${remap.listening ? "" : ", where nothing listens"}`);
      text(row.cells[2], podName(remap));
      text(row.cells[3], whole.format(remap.flows));
    });
}

function showAgent(agent, node) {
  const problems = [...(agent.alive ? [] : ["The agent's loop doesn't turn."]), ...agent.problems];
  byId("problems").hidden = problems.length === 0;
  sync(byId("problems").firstElementChild, distinct(problems), (problem) => problem, (problem) => make("li", {}, problem), () => {});
  const ready = byId("ready");
  ready.hidden = false;
  attribute(ready, "class", `badge ${agent.ready ? "good" : "bad"}`);
  text(ready, agent.ready ? "ready" : "not ready");
  text(byId("node"), node);
  text(byId("version"), `Sallyport ${agent.version}, commit ${agent.commit}, ABI ${agent.abi}`);
  document.title = harmless(`${node} · Sallyport`);
}

function show(status) {
  const groups = grouped(status);
  rememberPorts(groups);
  showAgent(status.agent, status.node);
  showVerdict(groups);
  showTiles(status, groups);
  showPorts(groups);
  showEvents(status.events);
  showNode(status);
  byId("filter").oninput = () => showPorts(groups);
}

/* ---- asking --------------------------------------------------------------------------------------------------- */

let answeredAt = null;
let timer = null;

function showLive(state, words) {
  attribute(byId("live"), "class", `live ${state}`);
  text(byId("live"), words);
}

function showUnreachable(why, live = "no answer") {
  const since = answeredAt ? ` Below is what it said at ${answeredAt.toLocaleTimeString("en-GB")}.` : "";
  byId("unreachable").hidden = false;
  text(byId("unreachable"), `${why}${since} Traffic doesn't need it: what is in the kernel goes on.`);
  byId("main").classList.add("stale");
  showLive("off", live);
}

/* Whose tables these are can show them; that nobody holds a port would be wrong. */
function showAnotherVersion(status) {
  showAgent(status.agent, status.node);
  showUnreachable(`The node's tables are another version's, of ABI ${status.tablesOfAnotherAbi}, which this agent can't read.`, "not shown");
}

/* The status, or why there is none. */
async function ask() {
  try {
    const answer = await fetch("/status.json", { signal: AbortSignal.timeout(patience), cache: "no-store" });
    return answer.ok ? { status: await answer.json() }
      : { problem: `The agent can't read this node's state (HTTP ${answer.status}); its log says why.` };
  } catch {
    return { problem: "The agent doesn't answer." };
  }
}

async function poll() {
  clearTimeout(timer);
  const { status, problem } = await ask();
  if (!document.hidden) timer = setTimeout(poll, interval);
  if (problem) return showUnreachable(problem);
  if (status.tablesOfAnotherAbi !== null) return showAnotherVersion(status);
  answeredAt = new Date();
  byId("unreachable").hidden = true;
  byId("main").classList.remove("stale");
  showLive("on", "live");
  show(status);
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (document.hidden) showLive("", "paused");
  else poll();
});
poll();
