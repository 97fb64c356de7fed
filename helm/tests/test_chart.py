"""What every installation has, and for each value that matters, the field that it changes."""

import pytest

from rendering import CHART, ROLES, container, helm, merged, of_kind, pod, refused, render, rendered, settings

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


@pytest.mark.parametrize("file", ["all-on.yaml", "bucket.yaml", "smallest.yaml", "values-trial.yaml"])
def test_it_renders_the_same_twice(file):
    folder = CHART if file == "values-trial.yaml" else CHART.parent / "tests" / "values"
    arguments = ("-f", str(folder / file))
    first = helm({}, *arguments)
    assert first.returncode == 0 and "kind: Deployment" in first.stdout
    rendered.cache_clear()
    assert helm({}, *arguments).stdout == first.stdout


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


def test_probes_ask_health_and_ready_where_no_key_is_needed():
    assert settings(render())["DEBRIEF_METRICS_BIND"] == "0.0.0.0:9090"
    for role in ROLES:
        one = container(render(), role)
        assert {"name": "metrics", "containerPort": 9090} in one["ports"]
        assert {one[probe]["httpGet"]["port"] for probe in ("livenessProbe", "startupProbe", "readinessProbe")} == {"metrics"}
        assert one["livenessProbe"]["httpGet"]["path"] == "/health"
        assert one["startupProbe"]["httpGet"]["path"] == "/health"
        assert one["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_a_secret_is_a_file_and_stands_in_no_variable():
    objects = render({"secrets": {"OPENAI_API_KEY": {"name": "models", "key": "openai"}}})
    for role in ROLES:
        spec = pod(objects, role)["spec"]
        env = {one["name"]: one["value"] for one in container(objects, role)["env"]}
        assert env["OPENAI_API_KEY_FILE"] == "/run/secrets/debrief/models/openai"
        assert "OPENAI_API_KEY" not in env
        (volume,) = [v for v in spec["volumes"] if v["name"] == "secrets"]
        items = {(s["secret"]["name"], i["key"], i["path"]) for s in volume["projected"]["sources"] for i in s["secret"]["items"]}
        assert ("models", "openai", "models/openai") in items
        assert ("debrief", "AMQP_URL", "debrief/AMQP_URL") in items


def test_two_settings_can_have_one_secret():
    one = {"name": "debrief", "key": "token"}
    (volume,) = [v for v in pod(render({"secrets": {"A": one, "B": one}}), "crm")["spec"]["volumes"] if v["name"] == "secrets"]
    paths = [i["path"] for s in volume["projected"]["sources"] for i in s["secret"]["items"]]
    assert len(paths) == len(set(paths)) and "debrief/token" in paths


def test_a_pod_starts_without_a_secret_and_can_say_that_it_is_missing():
    # Otherwise the pod would stay in ContainerCreating, and only its events would say why.
    (volume,) = [v for v in pod(render(), "crm")["spec"]["volumes"] if v["name"] == "secrets"]
    assert all(source["secret"]["optional"] for source in volume["projected"]["sources"])


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


def test_labels_of_yours_never_replace_those_that_selectors_use():
    own = {"app.kubernetes.io/name": "mine", "app.kubernetes.io/component": "mine", "team": "sales"}
    objects = render({"commonLabels": own, "defaults": {"podLabels": own}, "podMonitor": {"labels": own}})
    for role in ROLES:
        labels = pod(objects, role)["metadata"]["labels"]
        assert labels["team"] == "sales"
        assert objects["Deployment", f"d-debrief-{role}"]["spec"]["selector"]["matchLabels"].items() <= labels.items()


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


BUCKET = {
    "data": {"bucket": {"url": "s3://calls/production", "region": "eu-central-1", "endpoint": "http://minio:9000"}},
    "secrets": {name: {"name": "bucket", "key": name} for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
}


def test_blobs_are_in_a_bucket_and_no_claim_is_made():
    objects = render(BUCKET)
    assert of_kind(objects, "PersistentVolumeClaim") == {}
    found = settings(objects)
    assert found["BLOB_URL"] == "s3://calls/production"
    assert (found["AWS_REGION"], found["AWS_ENDPOINT"]) == ("eu-central-1", "http://minio:9000")
    for role in ROLES:
        assert {"name": "data", "emptyDir": {}} in pod(objects, role)["spec"]["volumes"]
    assert "BLOB_URL" not in settings(render())


@pytest.mark.parametrize(
    ("data", "together"),
    [
        ({"accessModes": ["ReadWriteOnce"]}, True),
        ({"accessModes": ["ReadWriteMany"]}, False),
        ({"accessModes": ["ReadWriteOnce"], "existingClaim": "calls"}, False),
    ],
)
def test_a_volume_that_one_node_can_mount_keeps_all_pods_on_one_node(data, together):
    objects = render({"data": data})
    specs = [(pod(objects, role)["metadata"], pod(objects, role)["spec"]) for role in ROLES]
    specs.append((objects["Pod", "d-debrief-test"]["metadata"], objects["Pod", "d-debrief-test"]["spec"]))
    for metadata, spec in specs:
        assert ("affinity" in spec) == together
        if together:
            (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            assert term["topologyKey"] == "kubernetes.io/hostname"
            assert term["labelSelector"]["matchLabels"].items() <= metadata["labels"].items()


@pytest.mark.parametrize(
    ("data", "field", "expected"),
    [
        ({"size": "7Gi"}, "resources", {"requests": {"storage": "7Gi"}}),
        ({"storageClassName": "nfs"}, "storageClassName", "nfs"),
        ({"accessModes": ["ReadWriteOnce"]}, "accessModes", ["ReadWriteOnce"]),
    ],
)
def test_a_field_of_the_claim(data, field, expected):
    assert render({"data": data})["PersistentVolumeClaim", "d-debrief"]["spec"][field] == expected


def test_spread():
    values = {"defaults": {"topologySpread": ["rack"]}, "roles": {"crm": {"topologySpread": []}}}
    objects = render(values)
    (one,) = pod(objects, "api")["spec"]["topologySpreadConstraints"]
    assert one["topologyKey"] == "rack"
    assert one["labelSelector"]["matchLabels"].items() <= pod(objects, "api")["metadata"]["labels"].items()
    assert "topologySpreadConstraints" not in pod(objects, "crm")["spec"]


def test_the_service_account():
    def account(values):
        objects = render({"serviceAccount": values})
        return objects, pod(objects, "crm")["spec"]["serviceAccountName"]

    objects, name = account({"name": "calls", "annotations": {"role": "reader"}})
    assert name == "calls"
    assert objects["ServiceAccount", "calls"]["metadata"]["annotations"] == {"role": "reader"}
    objects, name = account({"create": False, "name": "theirs"})
    assert name == "theirs" and of_kind(objects, "ServiceAccount") == {}
    assert account({"create": False})[1] == "default"


def test_the_services():
    values = {"service": {"type": "NodePort", "port": 8080, "annotations": {"mesh": "off"}}}
    services = of_kind(render(values), "Service")
    assert sorted(services) == ["d-debrief-api", "d-debrief-console", "d-debrief-ingest", "d-debrief-live", "d-debrief-practice"]
    for service in services.values():
        assert (service["spec"]["type"], service["spec"]["ports"][0]["port"]) == ("NodePort", 8080)
        assert service["metadata"]["annotations"] == {"mesh": "off"}


def test_the_pause_before_a_stop():
    assert container(render({"preStopSeconds": 12}), "api")["lifecycle"]["preStop"] == {"sleep": {"seconds": 12}}


def test_names():
    assert ("Deployment", "calls-api") in render({"fullnameOverride": "calls"})
    assert ("Deployment", "d-calls-api") in render({"nameOverride": "calls"})


def test_pull_secrets_reach_every_pod():
    objects = render({"imagePullSecrets": [{"name": "registry"}], "migration": {"by": "hook"}})
    specs = [o["spec"]["template"]["spec"] for kind in ("Deployment", "Job") for o in of_kind(objects, kind).values()]
    specs += [o["spec"] for o in of_kind(objects, "Pod").values()]
    assert all(spec["imagePullSecrets"] == [{"name": "registry"}] for spec in specs)
