"""Evaluates every query of the dashboards and of the alerts on a real Prometheus.

    python3 deploy/watch.py PROMETHEUS DEBRIEF

It starts the demo with an address for its metrics, and a Prometheus that scrapes it and loads the alerts. Calls come in
while it asks. A query of a dashboard has to return at least one number. A selector of an alert has to find a series. The
demo has a call whose recording is gone, so the alert about it has to fire.
"""

import contextlib
import json
import math
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
SAMPLE = json.loads((HERE.parent / "workers/debrief/samples/session.json").read_text())
# How long the demo, Prometheus or a number may take to appear. The machine can be busy.
PATIENCE = 120
CALLS_PER_SECOND = 5
# What Grafana puts in the place of its variables.
VARIABLES = {"$namespace": ".*", "$stage": "analysis|crm|slack|transcription|dedup", "$__rate_interval": "1m"}
CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: debrief
    static_configs: [{{targets: ["{target}"], labels: {{namespace: debrief}}}}]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, log, **variables):
    """A process that is stopped at the end. Its output goes to a file."""
    with open(log, "wb") as out:
        environment = {"PATH": os.environ["PATH"], **variables}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def get(address):
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read().decode()


def post(address, body):
    request = urllib.request.Request(address, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(what, ready, process, log):
    """Asks `ready` until it returns something. A connection that is refused counts as nothing."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            sys.exit(f"watch: {what}: the process ended\n{log.read_text()[-2000:]}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            found = ready()
            if found:
                return found
        time.sleep(0.2)
    sys.exit(f"watch: {what}: not within {PATIENCE} s\n{log.read_text()[-2000:]}")


class Prometheus:
    def __init__(self, address):
        self.address = address

    def api(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            return json.loads(get(f"{self.address}/api/v1/{path}?{query}"))["data"]
        except urllib.error.HTTPError as error:
            return sys.exit(f"watch: Prometheus refuses {parameters}: {error.read().decode()}")

    def numbers(self, expression):
        """The numbers that an expression has now."""
        result = self.api("query", query=expression)["result"]
        values = [float(series["value"][1]) for series in result]
        return [value for value in values if not math.isnan(value)]

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"}


def filled_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    if "$" in expression:
        sys.exit(f"watch: nobody knows the variable in {expression}")
    return expression


def panels():
    """Every query of every dashboard: where it stands, and what it asks."""
    for path in sorted((HERE / "grafana/dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']}", filled_in(target["expr"])


def variables():
    """Every query that fills a variable: where it stands, the series, and the label."""
    for path in sorted((HERE / "grafana/dashboards").glob("*.json")):
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
                yield f"{path.name}: ${variable['name']}", filled_in(series), label


def selectors(expression):
    return re.findall(r"debrief_\w+(?:\{[^}]*\})?", expression)


def send_calls(address, stop):
    """Sends sessions until `stop`, so that each rate is above 0."""
    while not stop.wait(1 / CALLS_PER_SECOND):
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            session = {**SAMPLE, "session_id": f"watch-{time.time_ns()}"}
            post(f"{address}/api/sessions", {"transcript": session})


def unanswered(prometheus):
    """Says what has no number, and what finds no series."""
    for where, expression in panels():
        if not prometheus.numbers(expression):
            yield f"{where}: no number: {expression}"
    for where, series, label in variables():
        if not prometheus.api(f"label/{label}/values", **{"match[]": series}):
            yield f"{where}: no value"
    for group in prometheus.api("rules")["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                yield f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}"
            for selector in selectors(rule["query"]):
                if not prometheus.numbers(selector):
                    yield f"{rule['name']}: no series: {selector}"


def check(prometheus, process, log):
    def all_answered():
        missing[:] = unanswered(prometheus)
        return not missing

    missing = []
    started = time.monotonic()
    while not all_answered():
        if time.monotonic() > started + PATIENCE or process.poll() is not None:
            sys.exit("watch: after {} s:\n{}".format(PATIENCE, "\n".join(missing)))
        time.sleep(2)
    wait_for("DebriefCallsFail, because a recording is gone", lambda: "DebriefCallsFail" in prometheus.firing(), process, log)
    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    asked = list(panels())
    boards = {where.split(":")[0] for where, _ in asked}
    print(f"{len(asked)} queries of {len(boards)} dashboards have numbers; {len(rules)} alerts find their series; "
          f"firing: {', '.join(sorted(prometheus.firing()))}")


def main():
    program, debrief = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="debrief-watch-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        target = f"127.0.0.1:{free_port()}"
        port = free_port()
        log = folder / "demo.log"
        demo = stack.enter_context(running(
            [debrief, "demo"], log, PORT=str(port), DEBRIEF_METRICS_BIND=target,
            OPENAI_PRICE_PROMPT="0.15", OPENAI_PRICE_COMPLETION="0.6"))
        address = f"http://127.0.0.1:{port}"
        wait_for("the demo", lambda: get(f"http://{target}/ready"), demo, log)
        configuration = folder / "prometheus.yaml"
        rules = (HERE / "prometheus/alerts.yaml").resolve()
        configuration.write_text(CONFIGURATION.format(rules=rules, target=target))
        listen = f"127.0.0.1:{free_port()}"
        log = folder / "prometheus.log"
        process = stack.enter_context(running(
            [program, f"--config.file={configuration}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={listen}"],
            log))
        prometheus = Prometheus(f"http://{listen}")
        wait_for("Prometheus", lambda: get(f"http://{listen}/-/ready"), process, log)
        stop = threading.Event()
        sender = threading.Thread(target=send_calls, args=(address, stop))
        sender.start()
        try:
            check(prometheus, process, log)
        finally:
            stop.set()
            sender.join()


if __name__ == "__main__":
    main()
