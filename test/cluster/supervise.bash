# shellcheck shell=bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# What an init system does for the cluster's programs: starts them again when they end. `service` speaks to it through files.

# supervise <name> <command>...: its output goes to the log; not while /run/<name>.stopped is there.
supervise()
{
    local name=$1
    shift
    while true; do
        while [ -e "/run/$name.stopped" ]; do
            sleep 0.2
        done
        "$@" </dev/null >>"$log/$name$suffix" 2>&1 &
        echo $! >"/run/$name.pid"
        wait $! || true
        rm -f "/run/$name.pid"
        sleep 1
    done &
}
