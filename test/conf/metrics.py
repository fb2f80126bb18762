#!/usr/bin/python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Do dashboard and alerts ask for metrics and labels that the agent serves?

metrics.py [--conf DIR] [--rules FILE] [--expressions FILE] SCRAPE

Every metric in their expressions must be in the scrape, with the labels by which they select, group and name it; a
label compared with one value must have that value there; rate() and increase() are for counters. So the scrape should
come from an agent that serves a node port, one of whose pods listens and one doesn't. Writes for promtool: --rules,
the alerts as a rule file; --expressions, the dashboard's.
"""
import argparse
import json
import re
import sys

import yaml

# Of others: (labels). `instance` and `job` are every target's.
FOREIGN = {
    "up": set(),
    "kube_daemonset_status_number_unavailable": {"namespace", "daemonset"},
}
TARGET_LABELS = {"instance", "job"}
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}

STRING = r'"(?:[^"\\]|\\.)*"'
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"(?<![\w:$])([a-zA-Z_:][\w:]*)\s*(\{(?:" + STRING + r"|[^}\"])*\})?\s*(\()?")
MATCHER = re.compile(r"([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*(" + STRING + ")")


def read_scrape(path):
    """metric -> {"type": ..., "labels": {label: {values}}}"""
    metrics, types = {}, {}
    with open(path) as file:
        for line in file:
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                types[name] = kind
            elif line.strip() and not line.startswith("#"):
                name, labels = re.match(r"([a-zA-Z_:][\w:]*)(\{.*\})?\s", line).groups()
                metric = metrics.setdefault(name, {"type": types.get(name, "untyped"), "labels": {}})
                for label, _, value in MATCHER.findall(labels or ""):
                    metric["labels"].setdefault(label, set()).add(json.loads(value))
    return metrics


def selectors_of(expression):
    """[(metric, {label: value, None where it isn't compared with one})], and the labels by which results are grouped"""
    groups = {label.strip() for found in GROUPING.findall(expression) for label in found.split(",") if label.strip()}
    text = re.sub(r"\[[^\]]*\]", "", GROUPING.sub("", expression))
    found = []
    for name, matchers, call in SELECTOR.findall(text):
        if call or name.lower() in WORDS:
            continue
        labels = {}
        for label, operator, value in MATCHER.findall(matchers):
            labels[label] = json.loads(value) if operator == "=" else None
        found.append((name, labels))
    return found, groups


def check_selector(name, labels, scrape):
    if name in FOREIGN:
        for label in labels:
            if label not in FOREIGN[name] | TARGET_LABELS:
                yield f"{name} has no label {label}"
        return
    if name not in scrape:
        yield f"there is no metric {name}"
        return
    served = scrape[name]["labels"]
    for label, value in labels.items():
        if label in TARGET_LABELS:
            continue
        if label not in served:
            yield f"{name} has no label {label}; it has {', '.join(sorted(served)) or 'none'}"
        elif value is not None and "$" not in value and value not in served[label]:
            yield f"{name} never has {label}={value!r}; it has {', '.join(sorted(served[label]))}"


def check_expression(expression, scrape):
    selectors, groups = selectors_of(expression)
    if not selectors:
        yield "asks for no metric"
    for name, labels in selectors:
        yield from check_selector(name, labels, scrape)
        known = FOREIGN[name] if name in FOREIGN else set(scrape.get(name, {"labels": {}})["labels"])
        for label in sorted(groups - known - TARGET_LABELS):
            yield f"groups by {label}, which {name} doesn't have"
    for function, name in re.findall(r"\b(rate|irate|increase|delta|deriv)\s*\(\s*([a-zA-Z_:][\w:]*)", expression):
        counter = scrape.get(name, {}).get("type") == "counter"
        if name in scrape and counter != (function in ("rate", "irate", "increase")):
            yield f"{function}() of {name}, which is a {scrape[name]['type']}"
    for name, metric in scrape.items():
        asked = re.findall(rf"(?:\b(?:rate|irate|increase)\s*\(\s*)?\b{name}\b", expression)
        if metric["type"] == "counter" and name in asked:
            yield f"{name} is a counter: ask for its rate"


def check_names(text, pattern, expression, scrape):
    """Labels that a text shows: those by which the expression groups, or, ungrouped, those of its metrics."""
    selectors, groups = selectors_of(expression)
    ungrouped = set(TARGET_LABELS).union(*(scrape.get(name, {"labels": {}})["labels"] for name, _ in selectors))
    for label in re.findall(pattern, text):
        if label not in (groups or ungrouped):
            yield f"shows {label}, which the result doesn't have"


def alerts_of(path):
    with open(path) as file:
        spec = yaml.safe_load(file)["spec"]
    return spec, [rule for group in spec["groups"] for rule in group["rules"]]


def panels_of(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def check_alerts(rules, scrape):
    for rule in rules:
        for problem in check_expression(rule["expr"], scrape):
            yield f"alert {rule['alert']}: {problem}"
        for text in rule["annotations"].values():
            for problem in check_names(text, r"\$labels\.(\w+)", rule["expr"], scrape):
                yield f"alert {rule['alert']}: {problem}"
        told = {"summary", "description"} <= set(rule["annotations"])
        if not told or rule["labels"]["severity"] not in ("critical", "warning", "info"):
            yield f"alert {rule['alert']}: wants a severity, a summary and a description"


def overlap(one, other):
    return all(one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
               for start, size in (("x", "w"), ("y", "h")))


def check_dashboard(dashboard, scrape):
    for panel in panels_of(dashboard):
        for target in panel["targets"]:
            for problem in check_expression(target["expr"], scrape):
                yield f"panel {panel['title']!r}: {problem}"
            for problem in check_names(target["legendFormat"], r"\{\{\s*(\w+)\s*\}\}", target["expr"], scrape):
                yield f"panel {panel['title']!r}: {problem}"
            for asked in (panel["datasource"], target["datasource"]):
                if asked["uid"] != "${datasource}":
                    yield f"panel {panel['title']!r}: is bound to the data source {asked['uid']}"
        for other in panels_of(dashboard):
            if other["id"] > panel["id"] and overlap(panel["gridPos"], other["gridPos"]):
                yield f"panels {panel['title']!r} and {other['title']!r} overlap"
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for name in re.findall(r"(?<!\$)\$\{?([a-zA-Z]\w*)", json.dumps(dashboard["panels"])):
        if name not in variables | {"__rate_interval"}:
            yield f"there is no variable {name}"
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
            for problem in check_selector(metric, {label: None}, scrape):
                yield f"variable {variable['name']}: {problem}"


def expressions_of(dashboard):
    """For promtool, which knows no variables: the dashboard's expressions as recording rules."""
    texts = [target["expr"] for panel in panels_of(dashboard) for target in panel["targets"]]
    texts = [text.replace("$__rate_interval", "5m").replace("$node", ".*").replace("$port", ".*") for text in texts]
    rules = [{"record": f"dashboard:expression{number}", "expr": text} for number, text in enumerate(texts)]
    return {"groups": [{"name": "dashboard", "rules": rules}]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--conf", default="conf")
    parser.add_argument("--rules")
    parser.add_argument("--expressions")
    parser.add_argument("scrape")
    arguments = parser.parse_args()
    scrape = read_scrape(arguments.scrape)
    spec, rules = alerts_of(arguments.conf + "/monitoring/alerts.yaml")
    with open(arguments.conf + "/monitoring/dashboard.json") as file:
        dashboard = json.load(file)
    for path, content in ((arguments.rules, spec), (arguments.expressions, expressions_of(dashboard))):
        if path:
            with open(path, "w") as file:
                yaml.safe_dump(content, file)
    problems = [*check_alerts(rules, scrape), *check_dashboard(dashboard, scrape)]
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
