#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Alerts fire when they must (promtool, alerts-test.yaml), every expression of alerts and dashboard is PromQL, and asks
# for metrics and labels that there are: in scrape.txt, written after the contract, or in the agent's own, named by
# SALLYPORT_SCRAPE. An argument is another conf/ to check.
cd "$(dirname "$0")/../.."
# shellcheck source=test/conf/tools
. test/conf/tools
conf=${1:-conf}
scrape=${SALLYPORT_SCRAPE:-test/conf/scrape.txt}

promtool check metrics <"$scrape"
test/conf/metrics.py --conf "$conf" --rules "$scratch"/rules.yaml --expressions "$scratch"/expressions.yaml "$scrape"
promtool check rules --lint=all --lint-fatal "$scratch"/rules.yaml "$scratch"/expressions.yaml
cp test/conf/alerts-test.yaml "$scratch"
promtool test rules "$scratch"/alerts-test.yaml
