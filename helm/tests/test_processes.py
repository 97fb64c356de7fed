"""Runs the real program as a pod of the chart would start it: with its arguments, variables and files, and no others.

`make chart` sets DEBRIEF to the program, and DEBRIEF_TEST_DATABASE_URL and DEBRIEF_TEST_AMQP_URL to servers, where there
are some. Otherwise these tests are left out.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from urllib.parse import urlsplit

import pytest

from rendering import ROLES, merged, pod, render, settings

needed = ("DEBRIEF", "DEBRIEF_TEST_DATABASE_URL", "DEBRIEF_TEST_AMQP_URL")
pytestmark = pytest.mark.skipif(not all(os.environ.get(name) for name in needed), reason=f"{needed} are not all set")
BUCKET_KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Pod:
    """What a pod of the chart gives to the program. The folders and ports of the pod become ones of this machine."""

    def __init__(self, folder, objects, spec, secrets):
        self.port, self.metrics = free_port(), free_port()
        self.spec, self.objects = spec, objects
        self.folders = {"/run/secrets/debrief": folder / "secrets", "/var/lib/debrief": folder / "data", "/test": folder / "test"}
        for place in self.folders.values():
            place.mkdir()
        (projected,) = [volume["projected"] for volume in spec["volumes"] if volume["name"] == "secrets"]
        for source in projected["sources"]:
            for item in source["secret"]["items"]:
                value = secrets.get(source["secret"]["name"], {}).get(item["key"])
                if value is not None:
                    path = self.folders["/run/secrets/debrief"] / item["path"]
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(value)

    def environment(self, container):
        given = dict(settings(self.objects)) | {one["name"]: one["value"] for one in container["env"]}
        given["PORT"], given["DEBRIEF_BIND"] = str(self.port), "127.0.0.1"
        given["DEBRIEF_METRICS_BIND"] = f"127.0.0.1:{self.metrics}"
        return {name: self.here(value) for name, value in given.items()}

    def here(self, text):
        for inside, outside in self.folders.items():
            if text == inside or text.startswith(inside + "/"):
                return str(outside) + text.removeprefix(inside)
        return text

    def start(self, container):
        command = [os.environ["DEBRIEF"], *map(self.here, container["args"])]
        return subprocess.Popen(
            command, env=self.environment(container), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
        )

    def ends(self, container):
        """The exit code, and the lines of the log of a container that ends by itself."""
        process = self.start(container)
        try:
            log, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        return process.returncode, log.splitlines()


@pytest.fixture
def servers():
    """The Secrets of an installation with a database of its own."""
    server = os.environ["DEBRIEF_TEST_DATABASE_URL"]
    name = f"debrief_test_chart_{uuid.uuid4().hex}"

    def sql(text):
        subprocess.run(["psql", "-XAtq", server, "-c", text], check=True)

    sql(f"CREATE DATABASE {name}")
    yield {
        "debrief": {
            "DATABASE_URL": urlsplit(server)._replace(path=f"/{name}").geturl(),
            "AMQP_URL": os.environ["DEBRIEF_TEST_AMQP_URL"],
            "DEBRIEF_API_KEY": uuid.uuid4().hex,
        },
        "bucket": BUCKET_KEYS,
    }
    sql(f"DROP DATABASE {name} WITH (FORCE)")


def prefix():
    return {"settings": {"DEBRIEF_QUEUE_PREFIX": f"test-chart-{uuid.uuid4().hex[:8]}"}}


def of_role(folder, role, secrets, values=None):
    objects = render(merged(prefix(), values or {}))
    spec = pod(objects, role)["spec"]
    return Pod(folder, objects, spec, secrets), spec["initContainers"][0], spec["containers"][0]


@contextlib.contextmanager
def running(one, container):
    process = one.start(container)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=40)
        process.kill()
    assert process.returncode == 0, "it did not stop as Kubernetes asks it to"


def answer(one, probe, names):
    port = names[probe["httpGet"]["port"]]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{probe['httpGet']['path']}", timeout=5) as reply:
            return reply.status
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None


@pytest.mark.parametrize("role", ROLES)
def test_a_pod_of_each_role_migrates_becomes_ready_and_stops(tmp_path, servers, role):
    one, migrate, container = of_role(tmp_path, role, servers)
    code, log = one.ends(migrate)
    assert code == 0, log
    names = {"http": one.port, "metrics": one.metrics}
    with running(one, container) as process:
        until = time.monotonic() + 60
        while answer(one, container["readinessProbe"], names) != 200:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until, "it did not become ready"
            time.sleep(0.1)
        assert answer(one, container["livenessProbe"], names) == 200


def test_a_setting_that_the_chart_sets_is_one_that_the_program_knows(tmp_path, servers):
    bucket = {"url": "s3://calls/production", "region": "eu-central-1", "endpoint": "http://127.0.0.1:1"}
    values = {"data": {"bucket": bucket}, "secrets": {name: {"name": "bucket", "key": name} for name in BUCKET_KEYS}}
    one, _, container = of_role(tmp_path, "api", servers, values)
    code, log = one.ends(container | {"args": ["check"]})
    assert code == 0, log
    assert not [line for line in log if "WARN" in line or "nearest" in line or "unknown" in line], log


@pytest.mark.parametrize("missing", ["DATABASE_URL", "AMQP_URL", "DEBRIEF_API_KEY"])
def test_a_pod_without_a_secret_says_which_in_its_last_line(tmp_path, servers, missing):
    del servers["debrief"][missing]
    one, migrate, container = of_role(tmp_path, "crm", servers)
    for which in (migrate, container):
        code, log = one.ends(which)
        # 2 says that trying again does not help. The kubelet waits longer and longer before it does.
        assert code == 2, log
        assert missing in log[-1] and f"debrief/{missing}" in log[-1], log


def test_a_pod_whose_database_is_behind_says_so_in_its_last_line(tmp_path, servers):
    one, _, container = of_role(tmp_path, "crm", servers)
    code, log = one.ends(container)
    assert code == 2, log
    assert "DATABASE_URL" in log[-1] and "behind" in log[-1] and "debrief migrate" in log[-1], log


def test_a_pod_with_a_role_that_does_not_exist_says_so_in_its_last_line(tmp_path, servers):
    one, _, container = of_role(tmp_path, "crm", servers)
    code, log = one.ends(container | {"args": ["run", "--role", "transcribe"]})
    assert code == 2, log
    assert "transcribe" in log[-1] and "--role" in log[-1] and "transcription" in log[-1], log


def test_the_test_of_the_chart_sends_a_call_through_every_stage(tmp_path, servers):
    """What `helm test` runs, beside one process with all roles."""
    objects = render(prefix())
    spec = objects["Pod", "d-debrief-test"]["spec"]
    one = Pod(tmp_path, objects, spec, servers)
    for name, text in objects["ConfigMap", "d-debrief-test"]["data"].items():
        (one.folders["/test"] / name).write_text(text)
    migrate = pod(objects, "api")["spec"]["initContainers"][0]
    code, log = one.ends(migrate)
    assert code == 0, log
    (call,) = spec["containers"]
    with running(one, call | {"args": ["run"]}):
        one.port, one.metrics = free_port(), free_port()
        code, log = one.ends(call)
    assert code == 0, log
    assert '"success":1' in log[-1].replace(" ", ""), log
