"""Renders the chart with `helm template`, for the tests. `make chart` sets HELM to the helm that it installed."""

import copy
import functools
import os
import pathlib
import subprocess

import yaml

CHART = pathlib.Path(__file__).parent.parent / "debrief"
HELM = os.environ.get("HELM", "helm")
ROLES = ["ingest", "api", "console", "live", "practice", "dedup", "transcription", "analysis", "crm", "slack", "keeper"]
STAGES = ["dedup", "transcription", "analysis", "crm", "slack"]
SECRETS = {
    name: {"name": "debrief", "key": name} for name in ["DATABASE_URL", "AMQP_URL", "DEBRIEF_API_KEY"]
}
RABBITMQ = {"rabbitmq": {"host": {"name": "debrief", "key": "MANAGEMENT"}}}


def helm(values, *arguments, release="d"):
    return rendered(yaml.safe_dump(values), arguments, release)


@functools.cache
def rendered(values, arguments, release):
    command = [HELM, "template", release, str(CHART), "--namespace", "calls", "--kube-version", "1.34.0", "-f", "-", *arguments]
    return subprocess.run(command, input=values, capture_output=True, text=True)


def merged(base, more):
    result = copy.deepcopy(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def render(values=None, *arguments, secrets=SECRETS, **more):
    """All objects, by (kind, name)."""
    result = helm(merged({"secrets": secrets}, values or {}), *arguments, **more)
    assert result.returncode == 0, result.stderr
    objects = [object for object in yaml.safe_load_all(result.stdout) if object]
    by_name = {(object["kind"], object["metadata"]["name"]): object for object in objects}
    assert len(by_name) == len(objects), "two objects have one name"
    return by_name


def refused(values, *, secrets=SECRETS):
    result = helm(merged({"secrets": secrets}, values))
    assert result.returncode != 0, "it was rendered"
    return result.stderr


def of_kind(objects, kind):
    return {name: object for (its_kind, name), object in objects.items() if its_kind == kind}


def pod(objects, role):
    return objects["Deployment", f"d-debrief-{role}"]["spec"]["template"]


def container(objects, role):
    (only,) = pod(objects, role)["spec"]["containers"]
    return only


def settings(objects):
    return objects["ConfigMap", "d-debrief"]["data"]
