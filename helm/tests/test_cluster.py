"""Installs the chart on a real API server, whose nodes and pods are simulated.

`make chart` starts it, and sets KUBECONFIG, KUBECTL (a command), HELMS (the programs of Helm 3 and 4) and CRDS (a folder).
Otherwise these tests are left out.
"""

import json
import os
import pathlib
import subprocess
import time
import uuid

import pytest
import yaml

from rendering import CHART, ROLES, SECRETS, STAGES, render

pytestmark = pytest.mark.skipif("KUBECTL" not in os.environ, reason="`make chart` starts an API server where it can")
HELMS = os.environ.get("HELMS", "").split()
HELM_3, HELM_4 = HELMS if len(HELMS) == 2 else (None, None)
VALUES = pathlib.Path(__file__).parent / "values"
TRIAL = CHART / "values-trial.yaml"
DEFINITIONS = [
    "scaledobjects.keda.sh",
    "triggerauthentications.keda.sh",
    "httproutes.gateway.networking.k8s.io",
    "podmonitors.monitoring.coreos.com",
    "externalsecrets.external-secrets.io",
]
both_helms = pytest.mark.parametrize("program", [pytest.param(HELM_3, id="helm-3"), pytest.param(HELM_4, id="helm-4")])


def run(command, *, input=None, timeout=180):
    result = subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout)
    return result.returncode, result.stdout, result.stderr


def kubectl(*arguments, input=None):
    code, out, problem = run([*os.environ["KUBECTL"].split(), *arguments], input=input)
    assert code == 0, f"kubectl {' '.join(arguments)}: {problem}"
    return out


def items(kind, namespace):
    return json.loads(kubectl("-n", namespace, "get", kind, "-o", "json"))["items"]


def apply(*objects, namespace="default"):
    kubectl("-n", namespace, "apply", "-f", "-", input=yaml.safe_dump_all(objects))


def helm(program, namespace, *arguments, values=None):
    """What Helm says. A warning is a failure: the API server warns of whatever the level `restricted` forbids, of fields
    that it does not know, and of what is deprecated."""
    command = [program, "-n", namespace, *arguments, *(["-f", "-"] if values is not None else [])]
    code, out, problem = run(command, input=None if values is None else yaml.safe_dump(values))
    assert code == 0, f"{command}: {problem}"
    assert "warn" not in problem.lower(), problem
    return out


@pytest.fixture(scope="session", autouse=True)
def cluster():
    """What other software brings: the definitions of its resources, classes and volumes."""
    if "KUBECTL" not in os.environ:
        return
    for name in DEFINITIONS:
        kubectl("apply", "--server-side", "-f", str(pathlib.Path(os.environ["CRDS"]) / f"{name}.yaml"))
    kubectl("wait", "--for", "condition=Established", "--timeout", "60s", *(f"crd/{name}" for name in DEFINITIONS))
    apply(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000},
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "nfs"}, "provisioner": "none"},
    )


def volumes(namespace, count, storage_class=""):
    apply(
        *(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"{namespace}-{number}"},
                "spec": {
                    "capacity": {"storage": "100Gi"},
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                    "storageClassName": storage_class,
                    "hostPath": {"path": "/tmp/none"},
                    "persistentVolumeReclaimPolicy": "Retain",
                },
            }
            for number in range(count)
        )
    )


@pytest.fixture
def namespace():
    """A new namespace that allows only what the level `restricted` allows, and warns of the rest."""
    name = f"calls-{uuid.uuid4().hex[:8]}"
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": levels}})
    eventually(lambda: [one for one in items("serviceaccounts", name)], "the service account of the namespace is made")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
    kubectl("uncordon", *(node["metadata"]["name"] for node in items("nodes", name)))


def secret(namespace):
    apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "debrief"},
            "stringData": {name: "x" for name in [*SECRETS, "RABBITMQ"]},
        },
        namespace=namespace,
    )


def eventually(condition, what, within_s=60):
    until = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < until, f"not within {within_s} s: {what}"
        time.sleep(0.2)
    return found


def everything(namespace):
    """All objects of the namespace by kind and name, without those that Kubernetes makes in each namespace."""
    kinds = kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").split()
    kinds = [kind for kind in kinds if kind.split(".")[0] not in ("events", "endpoints", "endpointslices")]
    listed = json.loads(kubectl("-n", namespace, "get", ",".join(kinds), "-o", "json"))["items"]
    found = {(one["kind"], one["metadata"]["name"]) for one in listed}
    return found - {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}


def all_ready(namespace, release="d"):
    """The Deployments by component, when each has the pods that it asks for, all of them new.

    Helm's `--wait` is content with a Deployment whose new pods are ready, also while old ones are still there.
    """

    def settled(deployment):
        status, wanted = deployment["status"], deployment["spec"]["replicas"]
        counts = {name: status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
        return status.get("observedGeneration") == deployment["metadata"]["generation"] and set(counts.values()) == {wanted}

    def look():
        found = items("deployments", namespace)
        return found if all(settled(one) for one in found) else None

    deployments = eventually(look, "each Deployment has its pods, and no old ones")
    assert len(deployments) == len(ROLES)
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in deployments}


@both_helms
def test_installed_upgraded_rolled_back_tested_and_uninstalled(program, namespace):
    secret(namespace)
    volumes(namespace, 1)
    before = everything(namespace)
    helm(program, namespace, "install", "d", str(CHART), "--wait", "--timeout", "2m", values={"secrets": SECRETS})
    first = all_ready(namespace)
    zones = {node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in items("nodes", namespace)}
    for role in STAGES:
        label = f"app.kubernetes.io/component={role}"
        on = json.loads(kubectl("-n", namespace, "get", "pods", "-l", label, "-o", "json"))["items"]
        assert len({zones[one["spec"]["nodeName"]] for one in on}) == 2, f"both pods of {role} are in one zone"

    more = {"secrets": SECRETS, "settings": {"DEBRIEF_TIMEZONE": "Asia/Kolkata"}, "roles": {"crm": {"replicas": 3}}}
    helm(program, namespace, "upgrade", "d", str(CHART), "--wait", "--timeout", "2m", values=more)
    second = all_ready(namespace)
    assert second["crm"]["spec"]["replicas"] == 3
    assert second["crm"]["spec"]["template"] != first["crm"]["spec"]["template"], "a changed setting starts new pods"

    helm(program, namespace, "rollback", "d", "1", "--wait", "--timeout", "2m")
    third = all_ready(namespace)
    assert {role: one["spec"] for role, one in third.items()} == {role: one["spec"] for role, one in first.items()}

    # The pod of the test is accepted and ends. What it does is shown by test_processes.py.
    helm(program, namespace, "test", "d")

    helm(program, namespace, "uninstall", "d", "--wait", "--timeout", "2m")
    # Blobs are kept: an uninstall must not delete recordings.
    kept = {("PersistentVolumeClaim", "d-debrief")}
    eventually(lambda: everything(namespace) == before | kept, "nothing is left but the claim")


@both_helms
def test_a_trial_installs_and_leaves_nothing(program, namespace):
    volumes(namespace, 4)
    helm(program, namespace, "install", "d", str(CHART), "-f", str(TRIAL), "--wait", "--timeout", "2m")
    all_ready(namespace)
    # Its volume can be mounted on one node only.
    ours = [one for one in items("pods", namespace) if not one["metadata"]["name"].startswith("d-debrief-trial-")]
    assert len(ours) == len(ROLES) and len({one["spec"]["nodeName"] for one in ours}) == 1
    helm(program, namespace, "uninstall", "d", "--wait", "--timeout", "2m")
    eventually(lambda: everything(namespace) == set(), "nothing is left")


@both_helms
def test_everything_that_the_chart_can_make_is_accepted(program, namespace):
    secret(namespace)
    volumes(namespace, 1, "nfs")
    # Simulated nodes have no label `disk`.
    values = yaml.safe_load((VALUES / "all-on.yaml").read_text())
    values["defaults"]["nodeSelector"] = {"kubernetes.io/hostname": "node-1"}
    helm(program, namespace, "install", "d", str(CHART), "--wait", "--timeout", "2m", values=values)
    kinds = {kind for kind, _ in everything(namespace)}
    wanted = {"ScaledObject", "TriggerAuthentication", "HorizontalPodAutoscaler", "HTTPRoute", "Ingress", "PodMonitor"}
    assert wanted | {"ExternalSecret", "NetworkPolicy", "PodDisruptionBudget"} <= kinds
    # KEDA's operator does not run here, so nobody sets the replicas: the roles that it scales begin with one pod.
    helm(program, namespace, "upgrade", "d", str(CHART), "--wait", "--timeout", "2m", values=values)
    helm(program, namespace, "uninstall", "d", "--wait", "--timeout", "2m")
    kept = {("PersistentVolumeClaim", "d-debrief"), ("Secret", "debrief")}
    eventually(lambda: everything(namespace) == kept, "nothing is left but the claim")


def test_an_installation_with_a_bucket_has_no_claim(namespace):
    helm(HELM_4, namespace, "install", "d", str(CHART), "-f", str(VALUES / "bucket.yaml"), "--wait", "--timeout", "2m")
    all_ready(namespace)
    assert items("persistentvolumeclaims", namespace) == []


def test_helm_4_takes_over_what_helm_3_installed(namespace):
    secret(namespace)
    volumes(namespace, 1)
    helm(HELM_3, namespace, "install", "d", str(CHART), "--wait", "--timeout", "2m", values={"secrets": SECRETS})
    more = {"secrets": SECRETS, "roles": {"slack": {"replicas": 3}}}
    helm(HELM_4, namespace, "upgrade", "d", str(CHART), "--wait", "--timeout", "2m", values=more)
    assert all_ready(namespace)["slack"]["spec"]["replicas"] == 3


def test_an_upgrade_leaves_the_replicas_to_the_autoscaler(namespace):
    secret(namespace)
    values = {
        "secrets": SECRETS,
        "migration": {"by": "none"},
        "data": {"existingClaim": "none"},
        "roles": {"crm": {"autoscaling": {"by": "queue"}}},
        "autoscaling": {"rabbitmq": {"host": {"name": "debrief", "key": "RABBITMQ"}}},
    }
    helm(HELM_4, namespace, "install", "d", str(CHART), values=values)
    kubectl("-n", namespace, "scale", "deployment/d-debrief-crm", "--replicas", "7")
    helm(HELM_4, namespace, "upgrade", "d", str(CHART), values=values | {"settings": {"SUPPORT_NUMBER": "+12025550100"}})
    replicas = json.loads(kubectl("-n", namespace, "get", "deployment/d-debrief-crm", "-o", "json"))["spec"]["replicas"]
    assert replicas == 7


def test_a_drain_takes_pods_one_at_a_time_and_waits_where_none_may_go(namespace):
    secret(namespace)
    volumes(namespace, 1)
    helm(HELM_4, namespace, "install", "d", str(CHART), "--wait", "--timeout", "2m", values={"secrets": SECRETS})
    nodes = [node["metadata"]["name"] for node in items("nodes", namespace)]

    def pods_on(node):
        return [one for one in items("pods", namespace) if one["spec"].get("nodeName") == node]

    def drain(node, timeout):
        command = [*os.environ["KUBECTL"].split(), "drain", node, "--delete-emptydir-data", "--timeout", timeout]
        return run(command)

    busy = max(nodes, key=lambda node: len(pods_on(node)))
    code, _, problem = drain(busy, "60s")
    assert code == 0, problem
    assert pods_on(busy) == []
    eventually(lambda: all(one["status"].get("readyReplicas") == one["spec"]["replicas"] for one in items("deployments", namespace)), "all pods are back")

    # No node takes pods any more. Then a pod that goes does not come back, and the second of its role may not go.
    kubectl("cordon", *nodes)
    refused = False
    for node in nodes:
        code, _, problem = drain(node, "3s")
        refused = refused or (code != 0 and "disruption budget" in problem)
    assert refused, "no pod was kept"
    for role in [role for role in ROLES if role != "keeper"]:
        label = f"app.kubernetes.io/component={role}"
        listed = json.loads(kubectl("-n", namespace, "get", "pods", "-l", label, "-o", "json"))["items"]
        ready = [one for one in listed if any(c["type"] == "Ready" and c["status"] == "True" for c in one["status"].get("conditions", []))]
        assert ready, f"every pod of {role} was taken away"


# ---- What the API server refuses. A check that lets everything pass would say nothing.



def refused(namespace, object):
    command = [*os.environ["KUBECTL"].split(), "-n", namespace, "apply", "--validate=strict", "-f", "-"]
    code, _, problem = run(command, input=yaml.safe_dump(object))
    assert code != 0, "it was accepted"
    return problem


def test_a_misspelt_field_is_refused(namespace):
    deployment = render()["Deployment", "d-debrief-crm"]
    deployment["metadata"]["namespace"] = namespace
    deployment["spec"]["replica"] = 2
    assert 'unknown field "spec.replica"' in refused(namespace, deployment)


def test_keda_takes_no_number_where_it_wants_a_text(namespace):
    values = {"roles": {"crm": {"autoscaling": {"by": "queue"}}}}
    values["autoscaling"] = {"rabbitmq": {"host": {"name": "debrief", "key": "RABBITMQ"}}}
    scaled = render(values)["ScaledObject", "d-debrief-crm"]
    scaled["metadata"]["namespace"] = namespace
    scaled["spec"]["triggers"][0]["metadata"]["value"] = 20
    assert "metadata.value" in refused(namespace, scaled)


@both_helms
def test_a_variable_that_is_set_twice_is_refused_before_the_api_server_is_asked(program, namespace):
    # Helm 3 would only print the warning of the API server.
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    command = [program, "-n", namespace, "install", "d", str(CHART), "-f", "-"]
    code, _, problem = run(command, input=yaml.safe_dump({"secrets": SECRETS, "defaults": {"env": env}}))
    assert code != 0 and "the variable A is set twice" in problem


@both_helms
def test_an_unknown_value_is_refused_by_its_name(program, namespace):
    command = [program, "-n", namespace, "install", "d", str(CHART), "-f", "-"]
    code, _, problem = run(command, input=yaml.safe_dump({"secrets": SECRETS, "roles": {"crm": {"replica": 3}}}))
    assert code != 0 and "replica" in problem
    assert everything(namespace) == set()


def test_a_pod_with_more_rights_is_refused(namespace):
    test = render()["Pod", "d-debrief-test"]
    test["metadata"]["namespace"] = namespace
    test["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert "allowPrivilegeEscalation" in refused(namespace, test)
