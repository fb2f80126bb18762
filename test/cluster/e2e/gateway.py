# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""A gateway that scenarios change: nginx, which answers with its pod's name, and is unready where /tmp/unready exists."""

IMAGE = "nginx:1.28"
KEEPALIVE = 3   # seconds that a connection may have; below the pause before SIGQUIT, so that none is cut
PRE_STOP = 6    # seconds

CONFIGURATION = """
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
worker_shutdown_timeout 10s;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    keepalive_time %ds;
    server {
        listen 9080;
        listen [::]:9080;
        location = /healthz {
            if (-e /tmp/unready) { return 503; }
            return 204;
        }
        location / { return 200 "$remote_addr $hostname\\n"; }
    }
}
""" % KEEPALIVE


def namespace(name, allowed=True):
    labels = {"sallyport.dev/expose": "allowed"} if allowed else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def configuration(where):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nginx", "namespace": where},
            "data": {"nginx.conf": CONFIGURATION}}


def pod_template(name, expose, *, node=None, pre_stop=PRE_STOP, command=None, labels=None, affinity=None, **annotations):
    """annotations: share, settle, hold."""
    container = {
        "name": "nginx", "image": IMAGE, "imagePullPolicy": "IfNotPresent",
        "command": command or ["nginx", "-c", "/etc/nginx/gateway/nginx.conf", "-g", "daemon off;"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 9080}, "periodSeconds": 1, "failureThreshold": 2},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(pre_stop)]}}},
        "volumeMounts": [{"name": "configuration", "mountPath": "/etc/nginx/gateway"}],
    }
    spec = {"terminationGracePeriodSeconds": pre_stop + 20, "automountServiceAccountToken": False,
            "containers": [container], "volumes": [{"name": "configuration", "configMap": {"name": "nginx"}}]}
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    if affinity:
        spec["affinity"] = affinity
    wanted = {"expose": expose, **annotations}
    return {"metadata": {"labels": {"app.kubernetes.io/name": name, **(labels or {})},
                         "annotations": {f"sallyport.dev/{key}": text for key, text in wanted.items()}}, "spec": spec}


def workload(kind, where, name, template, **spec):
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": where},
            "spec": {"selector": {"matchLabels": {"app.kubernetes.io/name": name}}, "template": template, **spec}}


def deployment(where, name, expose, *, replicas=1, strategy=None, **template):
    strategy = strategy or {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return workload("Deployment", where, name, pod_template(name, expose, **template), replicas=replicas, strategy=strategy)


def daemonset(where, name, expose, **template):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return workload("DaemonSet", where, name, pod_template(name, expose, **template), updateStrategy=strategy)
