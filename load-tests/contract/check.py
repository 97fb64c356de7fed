"""Runs the four checks of the contract against one running process.

Arguments: the program `debrief`, the linter, and how many seconds the fuzzer runs. Every check runs, also after one that
failed. The exit code is 1 when one of them failed.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import deployment

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = pathlib.Path(sys.executable).parent
# The fuzzer's own seed. A failure that it finds once is found again.
SEED = "20261129"
# How many requests it makes up for each operation and phase, where it has no time to spend.
EXAMPLES = "20"


def main(binary, linter, seconds):
    with deployment.running(binary) as address, tempfile.TemporaryDirectory() as folder:
        document = pathlib.Path(folder, "openapi.json")
        with urllib.request.urlopen(f"{address}/openapi.json", timeout=10) as answer:
            # The linter shows where a problem is, so the document has several lines.
            document.write_text(json.dumps(json.load(answer), indent=1))
        checks = [
            ("validator", lambda: validate(document)),
            ("linter", lambda: lint(linter, document)),
            ("generated client", lambda: generate_and_use(document, folder, address)),
        ]
        checks.append(("fuzzer", lambda: fuzz(address, seconds, folder)))
        failed = [name for name, check in checks if not succeeds(name, check)]
    if failed:
        sys.exit(f"contract: failed: {', '.join(failed)}")
    print("contract: all checks passed")


def succeeds(name, check):
    start = time.monotonic()
    good = check()
    print(f"contract: {name}: {'ok' if good else 'FAILED'} in {time.monotonic() - start:.0f} s", flush=True)
    return good


def run(*command, **options):
    environment = {**os.environ, "NO_COLOR": "1", **options.pop("environment", {})}
    return subprocess.run(command, env=environment, check=False, **options).returncode == 0


def validate(document):
    return run(sys.executable, "-m", "openapi_spec_validator", str(document))


def lint(linter, document):
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    return run(
        linter, "lint", str(document), "--config", str(HERE / "redocly.yaml"), "--format", "stylish", environment=quiet
    )


def generate_and_use(document, folder, address):
    package = pathlib.Path(folder, "client", "debrief_client")
    package.parent.mkdir()
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    generated = run(
        TOOLS / "openapi-python-client",
        "generate",
        "--path",
        str(document),
        "--output-path",
        str(package),
        "--meta",
        "none",
        "--config",
        str(HERE / "client.yaml"),
        "--fail-on-warning",
        environment={"PATH": path},
    )
    return generated and run(sys.executable, str(HERE / "client.py"), str(package.parent), address, deployment.KEY)


def fuzz(address, seconds, folder):
    """Without time, it sends the same requests in each run, so that a change cannot fail for what others wrote."""
    how = ("--generation-deterministic", "--max-examples", EXAMPLES) if seconds == "0" else ("--max-time", seconds)
    return run(
        TOOLS / "schemathesis",
        "--config-file",
        str(HERE / "schemathesis.toml"),
        "run",
        f"{address}/openapi.json",
        "--url",
        address,
        "--header",
        f"Authorization: Bearer {deployment.KEY}",
        *how,
        "--seed",
        SEED,
        cwd=folder,
        environment={"PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks"},
    )


main(*sys.argv[1:])
