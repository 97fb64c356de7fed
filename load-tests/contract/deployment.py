"""Runs one Debrief process for as long as a check needs it. Everything is embedded, unless the check says otherwise."""

import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request

KEY = "the-key-of-the-contract-check"
READY_WITHIN_SECONDS = 60


@contextlib.contextmanager
def running(binary, roles=(), **settings):
    """Starts `debrief run` with a data folder of its own, and gives its address. The process ends with the block.

    Without `roles` it has all roles. `settings` are added to those that every check has.
    """
    with tempfile.TemporaryDirectory(prefix="debrief-contract-") as folder:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # Nothing of the surroundings may configure the process, such as a provider's key.
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": str(port),
            "DEBRIEF_API_KEY": KEY,
            "DEBRIEF_DATA_DIR": f"{folder}/data",
            "RUST_LOG": "warn",
            **settings,
        }
        command = [binary, "run", *(part for role in roles for part in ("--role", role))]
        log = pathlib.Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(address, process, log)
            yield address
            if process.poll() is not None:
                raise SystemExit(f"Debrief ended with the exit code {process.returncode}:\n{tail(log)}")
            if "panicked" in log.read_text(errors="replace"):
                raise SystemExit(f"Debrief panicked:\n{tail(log)}")
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_ready(address, process, log):
    end = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"{address}/ready", timeout=5):
                return
        time.sleep(0.1)
    raise SystemExit(f"Debrief did not become ready:\n{tail(log)}")


def tail(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])
