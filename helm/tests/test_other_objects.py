"""The objects around the Deployments: ways in, secrets, the migration, and the servers of a trial."""

import re

import pytest
import yaml

from rendering import CHART, SECRETS, container, of_kind, pod, render


def test_ingress_sends_what_brings_calls_in_to_ingest_and_pages_to_the_console():
    values = {"ingress": {"enabled": True, "className": "nginx", "hosts": ["calls.example.com"]}}
    (rule,) = render(values)["Ingress", "d-debrief"]["spec"]["rules"]
    assert rule["host"] == "calls.example.com"
    found = {(p["path"], p["pathType"]): p["backend"]["service"]["name"] for p in rule["http"]["paths"]}
    assert found["/webhook", "Prefix"] == "d-debrief-ingest"
    assert found["/api/calls", "Exact"] == "d-debrief-ingest"
    assert found["/api", "Prefix"] == "d-debrief-api"
    assert found["/", "Prefix"] == "d-debrief-console"
    values["roles"] = {"console": {"enabled": False}}
    (rule,) = render(values)["Ingress", "d-debrief"]["spec"]["rules"]
    assert rule["http"]["paths"][-1]["backend"]["service"]["name"] == "d-debrief-api"


def test_every_route_that_brings_calls_in_leads_to_ingest():
    """The longest path that fits decides, and an exact one before a prefix."""
    (rule,) = render({"ingress": {"enabled": True, "hosts": ["a"]}})["Ingress", "d-debrief"]["spec"]["rules"]

    def leads_to(route):
        fits = [
            (path["pathType"] == "Exact", len(path["path"]), path["backend"]["service"]["name"])
            for path in rule["http"]["paths"]
            if route == path["path"] or (path["pathType"] == "Prefix" and f"{route}/".startswith(path["path"].rstrip("/") + "/"))
        ]
        return max(fits)[2]

    sources = CHART.parent.parent / "workers/ingest/src/sources"
    routes = [route for file in sources.glob("*.rs") for route in re.findall(r'path = "(/[^"]+)"', file.read_text())]
    assert len(routes) >= 5
    assert {route: leads_to(route) for route in routes} == dict.fromkeys(routes, "d-debrief-ingest")
    for route in ["/docs", "/openapi.json", "/stats", "/call/A1", "/api/calls/history", "/api/calls/7/recording", "/metrics"]:
        assert leads_to(route) == "d-debrief-api", route
    for route in ["/socket.io/", "/streams/twilio", "/streams/exotel"]:
        assert leads_to(route) == "d-debrief-live", route
    for route in ["/api/salesperson/create", "/api/company/7/representatives", "/api/meeting/7/end", "/api/conversation/send-message"]:
        assert leads_to(route) == "d-debrief-practice", route
    for route in ["/", "/calls", "/calls/7", "/assets/console.css", "/updates", "/login"]:
        assert leads_to(route) == "d-debrief-console", route


def test_the_gateway_route_has_the_same_paths_as_the_ingress():
    ingress = {"ingress": {"enabled": True, "hosts": ["a"]}}
    route = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["a"]}}
    (rule,) = render(ingress)["Ingress", "d-debrief"]["spec"]["rules"]
    rules = render(route)["HTTPRoute", "d-debrief"]["spec"]["rules"]
    paths = {(p["path"], p["pathType"] == "Exact", p["backend"]["service"]["name"]) for p in rule["http"]["paths"]}
    of_gateway = {
        (match["path"]["value"], match["path"]["type"] == "Exact", rule["backendRefs"][0]["name"])
        for rule in rules
        for match in rule["matches"]
    }
    assert of_gateway == paths


def test_the_gateway_route_has_no_more_rules_and_paths_than_a_route_may_have():
    """The limits are those of the definition of HTTPRoute: 16 rules, and 64 matches in each."""
    route = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]}}
    rules = render(route)["HTTPRoute", "d-debrief"]["spec"]["rules"]
    assert len(rules) <= 16
    assert all(len(rule["matches"]) <= 64 for rule in rules)


def test_every_service_finds_pods_and_every_port_has_a_name():
    objects = render()
    for name, service in of_kind(objects, "Service").items():
        role = name.removeprefix("d-debrief-")
        assert service["spec"]["selector"].items() <= pod(objects, role)["metadata"]["labels"].items()
        assert service["spec"]["ports"][0]["targetPort"] == container(objects, role)["ports"][0]["name"]


def test_only_two_ports_are_open_and_the_credentials_of_the_machine_cannot_be_fetched():
    spec = render()["NetworkPolicy", "d-debrief"]["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["ingress"]] == [["http"], ["metrics"]]
    assert spec["egress"][0]["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"]
    own = [{"to": [{"namespaceSelector": {}}]}]
    senders = {"from": [{"podSelector": {}}], "metricsFrom": [{"namespaceSelector": {}}]}
    spec = render({"networkPolicy": {"egress": own, **senders}})["NetworkPolicy", "d-debrief"]["spec"]
    assert spec["egress"] == own
    assert [rule["from"] for rule in spec["ingress"]] == [senders["from"], senders["metricsFrom"]]
    assert of_kind(render({"networkPolicy": {"enabled": False}}), "NetworkPolicy") == {}


def test_the_pod_monitor_scrapes_the_port_that_needs_no_key():
    values = {"podMonitor": {"enabled": True, "interval": "7s", "labels": {"release": "prometheus"}}}
    monitor = render(values)["PodMonitor", "d-debrief"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "path": "/metrics", "interval": "7s"}]


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
