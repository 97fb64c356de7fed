"""How the chart lets roles grow and shrink."""

import json
import os
import pathlib

import pytest

from rendering import RABBITMQ, STAGES, of_kind, render


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
    # One message wakes a role without pods: activation is "greater than".
    assert all(one["activationValue"] == "0" and "excludeUnacknowledged" not in one for one in metadata)
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


@pytest.mark.parametrize("role", ["ingest", "api", "console", "live", "practice"])
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


def test_how_often_keda_asks_and_how_long_a_role_without_work_keeps_its_last_pod():
    values = {
        "autoscaling": RABBITMQ | {"pollingInterval": 5, "cooldownPeriod": 60, "scaleDownSeconds": 77},
        "roles": {"crm": {"autoscaling": {"by": "queue", "min": 0, "max": 3}}},
    }
    spec = render(values)["ScaledObject", "d-debrief-crm"]["spec"]
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (5, 60)
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 3)
    # Where nobody answers, a role that could have none keeps one.
    assert spec["fallback"]["replicas"] == 1
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 77


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
