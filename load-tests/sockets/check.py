"""Runs a live call against the real program, and listens with the public clients of Socket.IO.

    check.py BINARY FOLDER [KIND…]

BINARY is the program `debrief`; `simulate` stands beside it. FOLDER holds the scripts of Node.js and their packages.
KIND is `embedded`, one process with everything in it, or `servers`, two processes with the role `live` and one with the
other roles on RabbitMQ, PostgreSQL and Redis. Without a KIND both run. On servers the listeners are connected to one
process, and the audio goes through the other one.

The exit code is 1 when something does not hold.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.parse

import asyncpg
import speech
import with_python_socketio

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "contract"))
import deployment  # noqa: E402 (it stands in another folder)

# How the clients of Node.js connect. The last is what `socket.io-client` does by itself: it polls, and then upgrades.
TRANSPORTS = (["websocket"], ["polling"], ["polling", "websocket"])
OTHER_ROLES = ("ingest", "api", "keeper", "dedup", "transcription", "analysis", "crm", "slack")
NODE_WITHIN_SECONDS = 180


def main(binary, folder, *kinds):
    unknown = set(kinds) - set(KINDS)
    if unknown:
        print(f"there is no kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}", file=sys.stderr)
        return 2
    failed = []
    with contextlib.ExitStack() as stack:
        settings = stack.enter_context(providers(pathlib.Path(binary).parent / "simulate"))
        sounds = speech.write(stack.enter_context(tempfile.TemporaryDirectory(prefix="debrief-sounds-")))
        for kind in kinds or KINDS:
            with KINDS[kind](binary, settings) as (listen, send):
                place = {"listen": listen, "send": send, "key": deployment.KEY, **sounds}
                for name, check in checks(place, folder):
                    if not succeeds(f"{kind}, {name}", check):
                        failed.append(f"{kind}, {name}")
    if failed:
        print(f"sockets: failed: {'; '.join(failed)}")
        return 1
    print("sockets: all checks passed")
    return 0


def checks(place, folder):
    """The checks of one deployment: their names and what they do."""
    for transports in TRANSPORTS:
        yield f"socket.io-client over {' and '.join(transports)}", lambda: node(folder, place, transports)
    for transport in ("websocket", "polling"):
        yield f"python-socketio over {transport}", lambda: asyncio.run(with_python_socketio.call(place, transport))


def succeeds(name, check):
    start = time.monotonic()
    try:
        check()
        fault = None
    except Exception as error:  # Whatever a client raises is a fault.
        fault = f"{type(error).__name__}: {error}"
        print(f"sockets: {name}: {fault}")
    print(f"sockets: {name}: {'FAILED' if fault else 'ok'} in {time.monotonic() - start:.0f} s", flush=True)
    return fault is None


def node(folder, place, transports):
    arguments = {**place, "transports": transports}
    command = ["node", str(pathlib.Path(folder, "call.mjs")), json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=NODE_WITHIN_SECONDS, check=False)
    if done.returncode != 0:
        raise AssertionError((done.stdout + done.stderr).strip())


@contextlib.contextmanager
def providers(simulate):
    """The settings with which a deployment uses simulated providers, for as long as these run."""
    command = [simulate, "all", "--json"]
    with speech.hearing() as hears, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulators:
        try:
            addresses = json.loads(simulators.stdout.readline())
            yield {
                "LOCAL_SPEECH_BASE_URL": hears,
                "OPENAI_API_KEY": "simulated",
                "OPENAI_BASE_URL": f"{addresses['openai']}/v1",
                "OPENAI_MODEL": "simulated-model",
                "SPEECH": "local",
                "SLACK_WEBHOOK_URL": f"{addresses['slack']}/services/T0SIMULATED/B0SIMULATED/secret",
            }
        finally:
            simulators.terminate()


@contextlib.contextmanager
def embedded(binary, settings):
    """One process with everything in it. Gives the addresses of the listener and of the sender."""
    with deployment.running(binary, **settings) as address:
        yield address, address


@contextlib.contextmanager
def servers(binary, settings):
    """Two processes with the role `live`, and one with the other roles."""
    server = os.environ["DEBRIEF_TEST_DATABASE_URL"]
    name = f"debrief_sockets_{secrets.token_hex(4)}"
    asyncio.run(execute(server, f"CREATE DATABASE {name}"))
    try:
        with tempfile.TemporaryDirectory(prefix="debrief-sockets-") as data:
            shared = {
                **settings,
                "DATABASE_URL": urllib.parse.urlsplit(server)._replace(path=f"/{name}").geturl(),
                "AMQP_URL": os.environ["DEBRIEF_TEST_AMQP_URL"],
                "REDIS_URL": os.environ["DEBRIEF_TEST_REDIS_URL"],
                "DEBRIEF_QUEUE_PREFIX": name,
                "DEBRIEF_DATA_DIR": data,
            }
            environment = {"PATH": os.environ["PATH"], **shared}
            subprocess.run([binary, "migrate"], env=environment, cwd=data, check=True, stdout=subprocess.DEVNULL)
            with (
                deployment.running(binary, OTHER_ROLES, **shared),
                deployment.running(binary, ["live"], **shared) as listen,
                deployment.running(binary, ["live"], **shared) as send,
            ):
                yield listen, send
    finally:
        asyncio.run(execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def execute(server, sql):
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


KINDS = {"embedded": embedded, "servers": servers}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
