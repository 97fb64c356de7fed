"""Renders the chart with `helm template` and looks at what came out: for each value that matters, the field that it changes.

`make chart` sets HELM to the helm that it installed.
"""

import copy
import functools
import json
import os
import pathlib
import subprocess

import pytest
import yaml

CHART = pathlib.Path(__file__).parent.parent / "debrief"
HELM = os.environ.get("HELM", "helm")
ROLES = ["ingest", "api", "dedup", "transcription", "analysis", "crm", "slack", "keeper"]
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


# ---- What every installation has.


def test_every_role_is_a_deployment_that_runs_only_this_role():
    objects = render()
    assert sorted(of_kind(objects, "Deployment")) == sorted(f"d-debrief-{role}" for role in ROLES)
    for role in ROLES:
        assert container(objects, role)["args"] == ["run", "--role", role]
        selector = objects["Deployment", f"d-debrief-{role}"]["spec"]["selector"]["matchLabels"]
        labels = pod(objects, role)["metadata"]["labels"]
        assert selector.items() <= labels.items()
        assert labels["app.kubernetes.io/component"] == role


def test_no_selector_matches_the_pods_of_another_role():
    objects = render()
    selectors = [d["spec"]["selector"]["matchLabels"] for d in of_kind(objects, "Deployment").values()]
    for role in ROLES:
        labels = pod(objects, role)["metadata"]["labels"]
        assert sum(selector.items() <= labels.items() for selector in selectors) == 1


def test_it_renders_the_same_twice():
    values = {"secrets": SECRETS, "trial": {"enabled": True}, "podMonitor": {"enabled": True}}
    first = helm(values).stdout
    rendered.cache_clear()
    assert helm(values).stdout == first


def test_every_pod_may_do_as_little_as_the_level_restricted_asks_for():
    objects = render({"migration": {"by": "hook"}})
    templates = [o["spec"]["template"]["spec"] for kind in ("Deployment", "Job") for o in of_kind(objects, kind).values()]
    templates += [o["spec"] for o in of_kind(objects, "Pod").values()]
    assert len(templates) == len(ROLES) + 2
    for spec in templates:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for one in spec["containers"] + spec.get("initContainers", []):
            context = one["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert one["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_probes_ask_health_and_ready():
    for role in ROLES:
        one = container(render(), role)
        assert one["livenessProbe"]["httpGet"]["path"] == "/health"
        assert one["startupProbe"]["httpGet"]["path"] == "/health"
        assert one["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_a_secret_is_a_file_and_stands_in_no_variable():
    objects = render({"secrets": {"OPENAI_API_KEY": {"name": "models", "key": "openai"}}})
    for role in ROLES:
        spec = pod(objects, role)["spec"]
        env = {one["name"]: one["value"] for one in container(objects, role)["env"]}
        assert env["OPENAI_API_KEY_FILE"] == "/run/secrets/debrief/OPENAI_API_KEY"
        assert "OPENAI_API_KEY" not in env
        (volume,) = [v for v in spec["volumes"] if v["name"] == "secrets"]
        items = {(s["secret"]["name"], i["key"], i["path"]) for s in volume["projected"]["sources"] for i in s["secret"]["items"]}
        assert ("models", "openai", "OPENAI_API_KEY") in items
        assert ("debrief", "AMQP_URL", "AMQP_URL") in items


def test_no_variable_is_named_twice():
    # Helm 4 refuses an object that names a variable twice.
    objects = render({"settings": {"SUPPORT_NUMBER": "+1"}, "defaults": {"env": [{"name": "A", "value": "1"}]}})
    for role in ROLES:
        names = [one["name"] for one in container(objects, role)["env"]] + list(settings(objects))
        assert len(names) == len(set(names))


def test_the_database_is_migrated_before_a_process_starts():
    (init,) = pod(render(), "crm")["spec"]["initContainers"]
    assert init["args"] == ["migrate"]
    assert "DATABASE_URL_FILE" in [one["name"] for one in init["env"]]
    assert of_kind(render(), "Job") == {}


def test_a_pod_has_the_time_to_drain():
    def grace(values):
        return pod(render(values), "slack")["spec"]["terminationGracePeriodSeconds"]

    assert grace({}) == 25 + 5 + 10
    assert grace({"settings": {"DEBRIEF_DRAIN_TIMEOUT": "2m"}}) == 120 + 5 + 10
    assert grace({"settings": {"DEBRIEF_DRAIN_TIMEOUT": "1500ms"}, "preStopSeconds": 20}) == 2 + 20 + 10
    assert "DEBRIEF_DRAIN_TIMEOUT" in refused({"settings": {"DEBRIEF_DRAIN_TIMEOUT": "soon"}})


# ---- One value, one field.


@pytest.mark.parametrize("role", ROLES)
def test_what_is_said_about_a_role_wins_over_the_defaults_and_changes_no_other_role(role):
    own = {"replicas": 7, "priorityClassName": "high", "nodeSelector": {"disk": "fast"}}
    before, after = render(), render({"roles": {role: own}})
    deployment = after["Deployment", f"d-debrief-{role}"]
    assert deployment["spec"]["replicas"] == 7
    assert deployment["spec"]["template"]["spec"]["priorityClassName"] == "high"
    assert deployment["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "fast"}
    changed = [key for key in before if before[key] != after[key]]
    assert changed == [("Deployment", f"d-debrief-{role}")]


def test_a_role_that_is_off_leaves_nothing():
    objects = render({"roles": {"slack": {"enabled": False}}})
    assert not [name for _, name in objects if name.endswith("-slack")]


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("resources", {"requests": {"cpu": "3", "memory": "8Gi"}, "limits": {"memory": "9Gi"}}, ["resources"]),
        ("env", [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}], ["env"]),
        ("volumeMounts", [{"name": "ca", "mountPath": "/etc/ca"}], ["volumeMounts"]),
    ],
)
def test_a_field_of_the_container(field, value, path):
    one = container(render({"defaults": {field: value}}), "analysis")
    for step in path:
        one = one[step]
    if isinstance(value, list):
        assert value[0] in one
    else:
        assert one == value


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("tolerations", [{"key": "calls", "operator": "Exists"}], "tolerations"),
        ("affinity", {"nodeAffinity": {}}, "affinity"),
        ("volumes", [{"name": "ca", "configMap": {"name": "ca"}}], "volumes"),
    ],
)
def test_a_field_of_the_pod(field, value, name):
    found = pod(render({"defaults": {field: value}}), "crm")["spec"][name]
    assert found == value or value[0] in found


def test_labels_and_annotations():
    values = {
        "commonLabels": {"team": "sales"},
        "commonAnnotations": {"owner": "ops"},
        "defaults": {"podLabels": {"mesh": "on"}, "podAnnotations": {"inject": "no"}},
    }
    objects = render(values)
    template = pod(objects, "api")["metadata"]
    assert template["labels"]["team"] == "sales" and template["labels"]["mesh"] == "on"
    assert template["annotations"]["owner"] == "ops" and template["annotations"]["inject"] == "no"
    for (kind, _), object in objects.items():
        if not object["metadata"].get("annotations", {}).get("helm.sh/hook"):
            assert object["metadata"]["labels"]["team"] == "sales", kind
            assert object["metadata"]["annotations"]["owner"] == "ops", kind


def test_a_changed_setting_starts_new_pods():
    def checksum(values):
        return pod(render(values), "crm")["metadata"]["annotations"]["checksum/settings"]

    assert checksum({}) != checksum({"settings": {"DEBRIEF_TIMEZONE": "Asia/Kolkata"}})


def test_settings_keep_what_was_written():
    values = {"settings": {"SUPPORT_NUMBER": "+918047359999", "CRM_AUTO_UPLOAD": True, "DEBRIEF_MAX_UPLOAD_MB": 4096}}
    found = settings(render(values))
    assert found["SUPPORT_NUMBER"] == "+918047359999"
    assert found["CRM_AUTO_UPLOAD"] == "true"
    assert found["DEBRIEF_MAX_UPLOAD_MB"] == "4096"


def test_image():
    def image(values):
        return container(render({"image": values}), "api")["image"]

    assert image({"repository": "registry.example.com/debrief", "tag": "1.2"}) == "registry.example.com/debrief:1.2"
    digest = "sha256:" + "0" * 64
    assert image({"digest": digest, "tag": "1.2"}) == f"debrief@{digest}"


def test_one_pod_of_a_role_may_be_away_and_none_can_be_asked_for():
    budgets = of_kind(render(), "PodDisruptionBudget")
    assert len(budgets) == len(ROLES)
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets.values())
    values = {"roles": {"crm": {"maxUnavailable": None}}}
    assert "d-debrief-crm" not in of_kind(render(merged({"defaults": {"maxUnavailable": None}}, values)), "PodDisruptionBudget")


def test_blobs_stay_after_an_uninstall_and_an_existing_claim_is_used():
    claim = render()["PersistentVolumeClaim", "d-debrief"]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    objects = render({"data": {"existingClaim": "calls"}})
    assert of_kind(objects, "PersistentVolumeClaim") == {}
    volumes = pod(objects, "transcription")["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "calls"}} in volumes


# ---- Autoscaling.


@pytest.mark.parametrize("role", STAGES)
def test_a_stage_is_scaled_by_both_lanes_and_messages_in_hand_count(role):
    values = {"autoscaling": RABBITMQ, "roles": {role: {"autoscaling": {"by": "queue", "min": 1, "max": 9, "messages": 5}}}}
    objects = render(values)
    assert "replicas" not in objects["Deployment", f"d-debrief-{role}"]["spec"]
    spec = objects["ScaledObject", f"d-debrief-{role}"]["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 9)
    metadata = [trigger["metadata"] for trigger in spec["triggers"]]
    assert sorted(one["queueName"] for one in metadata) == [f"debrief.{role}", f"debrief.{role}.bulk"]
    assert all(one["protocol"] == "http" and one["value"] == "5" for one in metadata)
    assert all(isinstance(value, str) for one in metadata for value in one.values())
    (reference,) = {trigger["authenticationRef"]["name"] for trigger in spec["triggers"]}
    assert ("TriggerAuthentication", reference) in objects


def test_the_prefix_of_the_queues_is_the_one_of_the_settings():
    values = {
        "settings": {"DEBRIEF_QUEUE_PREFIX": "blue"},
        "autoscaling": RABBITMQ,
        "roles": {"crm": {"autoscaling": {"by": "queue"}}},
    }
    triggers = render(values)["ScaledObject", "d-debrief-crm"]["spec"]["triggers"]
    assert sorted(one["metadata"]["queueName"] for one in triggers) == ["blue.crm", "blue.crm.bulk"]


def test_a_stage_is_scaled_by_the_time_that_its_oldest_run_waits():
    prometheus = {"serverAddress": "http://prometheus:9090", "selector": 'namespace="calls"'}
    values = {"autoscaling": {"prometheus": prometheus}, "roles": {"analysis": {"autoscaling": {"by": "waiting", "seconds": 45}}}}
    (trigger,) = render(values)["ScaledObject", "d-debrief-analysis"]["spec"]["triggers"]
    assert trigger["metadata"]["query"] == 'max(debrief_oldest_due_seconds{stage="analysis",namespace="calls"})'
    assert trigger["metadata"]["threshold"] == "45"


@pytest.mark.parametrize("role", ["ingest", "api"])
def test_a_listener_is_scaled_by_cpu(role):
    values = {"roles": {role: {"autoscaling": {"by": "cpu", "min": 3, "max": 8, "cpu": 55}}}}
    objects = render(values)
    assert "replicas" not in objects["Deployment", f"d-debrief-{role}"]["spec"]
    spec = objects["HorizontalPodAutoscaler", f"d-debrief-{role}"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 8)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 55
    assert spec["scaleTargetRef"]["name"] == f"d-debrief-{role}"


def test_pods_are_taken_away_slowly():
    values = {"autoscaling": {"scaleDownSeconds": 77}, "roles": {"api": {"autoscaling": {"by": "cpu"}}}}
    down = render(values)["HorizontalPodAutoscaler", "d-debrief-api"]["spec"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == 77


@pytest.mark.skipif("KEDA_SCALERS" not in os.environ, reason="`make chart` names KEDA's description of its triggers")
def test_keda_knows_every_parameter_of_a_trigger():
    scalers = json.loads(pathlib.Path(os.environ["KEDA_SCALERS"]).read_text())["scalers"]
    known = {one["type"]: {parameter["name"]: parameter for parameter in one["parameters"]} for one in scalers}
    prometheus = {"prometheus": {"serverAddress": "http://prometheus:9090"}}
    roles = {"crm": {"autoscaling": {"by": "queue"}}, "slack": {"autoscaling": {"by": "waiting"}}}
    objects = render({"autoscaling": RABBITMQ | prometheus, "roles": roles})
    seen = set()
    for name, scaled in of_kind(objects, "ScaledObject").items():
        for trigger in scaled["spec"]["triggers"]:
            seen.add(trigger["type"])
            assert set(trigger["metadata"]) <= set(known[trigger["type"]]), name
    assert seen == {"rabbitmq", "prometheus"}


# ---- Ways in.


def test_ingress_sends_what_brings_calls_in_to_ingest_and_the_rest_to_the_api():
    values = {"ingress": {"enabled": True, "className": "nginx", "hosts": ["calls.example.com"]}}
    (rule,) = render(values)["Ingress", "d-debrief"]["spec"]["rules"]
    assert rule["host"] == "calls.example.com"
    found = {(p["path"], p["pathType"]): p["backend"]["service"]["name"] for p in rule["http"]["paths"]}
    assert found["/webhook", "Prefix"] == "d-debrief-ingest"
    assert found["/api/calls", "Exact"] == "d-debrief-ingest"
    assert found["/", "Prefix"] == "d-debrief-api"


def test_the_gateway_route_has_the_same_paths_as_the_ingress():
    ingress = {"ingress": {"enabled": True, "hosts": ["a"]}}
    route = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["a"]}}
    (rule,) = render(ingress)["Ingress", "d-debrief"]["spec"]["rules"]
    rules = render(route)["HTTPRoute", "d-debrief"]["spec"]["rules"]
    paths = [(p["path"], p["backend"]["service"]["name"]) for p in rule["http"]["paths"]]
    assert paths == [(r["matches"][0]["path"]["value"], r["backendRefs"][0]["name"]) for r in rules]


def test_every_service_finds_pods_and_every_port_has_a_name():
    objects = render()
    for name, service in of_kind(objects, "Service").items():
        role = name.removeprefix("d-debrief-")
        assert service["spec"]["selector"].items() <= pod(objects, role)["metadata"]["labels"].items()
        assert service["spec"]["ports"][0]["targetPort"] == container(objects, role)["ports"][0]["name"]


def test_only_the_http_port_is_open_and_the_credentials_of_the_machine_cannot_be_fetched():
    spec = render()["NetworkPolicy", "d-debrief"]["spec"]
    assert [port["port"] for port in spec["ingress"][0]["ports"]] == ["http"]
    assert spec["egress"][0]["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"]
    own = [{"to": [{"namespaceSelector": {}}]}]
    spec = render({"networkPolicy": {"egress": own, "from": [{"podSelector": {}}]}})["NetworkPolicy", "d-debrief"]["spec"]
    assert spec["egress"] == own and spec["ingress"][0]["from"] == [{"podSelector": {}}]
    assert of_kind(render({"networkPolicy": {"enabled": False}}), "NetworkPolicy") == {}


def test_the_pod_monitor_sends_the_key():
    (endpoint,) = render({"podMonitor": {"enabled": True}})["PodMonitor", "d-debrief"]["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "debrief", "key": "DEBRIEF_API_KEY"}


def test_external_secrets_are_made_and_used():
    remote = {name: {"key": f"production/{name}"} for name in SECRETS}
    values = {"externalSecrets": {"enabled": True, "store": {"name": "vault"}, "data": remote}}
    objects = render(values, secrets={})
    made = objects["ExternalSecret", "d-debrief-external"]["spec"]
    assert made["secretStoreRef"] == {"name": "vault", "kind": "ClusterSecretStore"}
    assert {one["secretKey"] for one in made["data"]} == set(SECRETS)
    (volume,) = [v for v in pod(objects, "crm")["spec"]["volumes"] if v["name"] == "secrets"]
    assert {s["secret"]["name"] for s in volume["projected"]["sources"]} == {made["target"]["name"]}


def test_the_migration_can_be_a_hook_or_yours():
    objects = render({"migration": {"by": "hook"}})
    job = objects["Job", "d-debrief-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "initContainers" not in pod(objects, "crm")["spec"]
    # The job runs before the release's own objects exist, so it must name none of them.
    named = yaml.safe_dump(job["spec"])
    assert "configMapRef" not in named and "serviceAccountName" not in named and "persistentVolumeClaim" not in named
    assert "initContainers" not in pod(render({"migration": {"by": "none"}}), "crm")["spec"]


def test_a_trial_brings_the_servers_that_it_names():
    objects = render({}, "-f", str(CHART / "values-trial.yaml"), secrets={})
    servers = ["rabbitmq", "postgresql", "redis"]
    assert sorted(of_kind(objects, "StatefulSet")) == sorted(f"d-debrief-trial-{name}" for name in servers)
    secret = objects["Secret", "d-debrief-trial"]["stringData"]
    for name, setting in zip(servers, ["AMQP_URL", "DATABASE_URL", "REDIS_URL"], strict=True):
        assert f"d-debrief-trial-{name}" in secret[setting]
    assert all(d["spec"]["replicas"] == 1 for d in of_kind(objects, "Deployment").values())
    assert of_kind(objects, "PodDisruptionBudget") == {}
    claim = objects["PersistentVolumeClaim", "d-debrief"]
    assert "annotations" not in claim["metadata"]


@pytest.mark.parametrize("release", ["d", "debrief", "a" * 53])
def test_names_fit_for_every_release(release):
    objects = render(release=release)
    assert all(len(name) <= 63 for _, name in objects)


# ---- What bad input gets.


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 3}, "replicas"),
        ({"roles": {"transcribe": {}}}, "transcribe"),
        ({"roles": {"crm": {"replica": 3}}}, "replica"),
        ({"roles": {"crm": {"replicas": "three"}}}, "replicas"),
        ({"defaults": {"autoscaling": {"by": "luck"}}}, "by"),
        ({"settings": {"support_number": "1"}}, "support_number"),
        ({"settings": {"PORT": "9000"}}, "PORT"),
        ({"secrets": {"SLACK_BOT_TOKEN": "xoxb-1"}}, "SLACK_BOT_TOKEN"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"migration": {"by": "hand"}}, "by"),
        ({"ingress": {"enabled": True}}, "ingress.hosts"),
        ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs"),
        ({"roles": {"crm": {"autoscaling": {"by": "queue"}}}}, "autoscaling.rabbitmq.host"),
        ({"roles": {"crm": {"autoscaling": {"by": "waiting"}}}}, "autoscaling.prometheus.serverAddress"),
        ({"roles": {"api": {"autoscaling": {"by": "queue"}}}}, "roles.api.autoscaling.by"),
        ({"settings": {"AMQP_URL": "amqp://x"}}, "AMQP_URL"),
        ({"externalSecrets": {"enabled": True}}, "externalSecrets.store.name"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(values, named):
    assert named in refused(values)


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_a_missing_secret_is_named(missing):
    secrets = {name: secret for name, secret in SECRETS.items() if name != missing}
    assert f"secrets.{missing}" in refused({}, secrets=secrets)


def test_an_unknown_word_anywhere_in_the_values_is_refused():
    """Every object of the values file, with a key that does not exist."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    # Their keys are free.
    free = {"settings", "secrets", "data", "commonLabels", "commonAnnotations", "annotations", "labels"}
    free |= {"requests", "limits", "nodeSelector", "affinity", "podLabels", "podAnnotations"}

    def places(object, path):
        yield path
        for key, value in object.items():
            if isinstance(value, dict) and not (key in free and path != []):
                yield from places(value, [*path, key])

    tried = 0
    for path in places(values, []):
        if path and path[-1] in {"settings", "secrets", "commonLabels", "commonAnnotations"}:
            continue
        wrong = {"noSuchValue": {"name": "a", "key": "b"}}
        for key in reversed(path):
            wrong = {key: wrong}
        assert "noSuchValue" in refused(wrong), path
        tried += 1
    assert tried > 25
