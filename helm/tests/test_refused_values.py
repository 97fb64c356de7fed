"""What bad values get: an error that names them."""

import pytest
import yaml

from rendering import CHART, SECRETS, refused


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
        ({"data": {"bucket": {"url": "s3://calls"}}}, "secrets.AWS_ACCESS_KEY_ID"),
        ({"data": {"bucket": {"url": "calls"}}}, "url"),
        ({"settings": {"BLOB_URL": "s3://calls"}}, "BLOB_URL"),
        ({"defaults": {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}, "variable A"),
        ({"roles": {"crm": {"env": [{"name": "AMQP_URL_FILE", "value": "/x"}]}}}, "roles.crm.env: the variable AMQP_URL_FILE"),
        ({"roles": {"api": {"env": [{"name": "DEBRIEF_METRICS_BIND", "value": "x"}]}}}, "DEBRIEF_METRICS_BIND"),
        ({"preStopSeconds": 0}, "preStopSeconds"),
        ({"service": {"port": 0}}, "port"),
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
