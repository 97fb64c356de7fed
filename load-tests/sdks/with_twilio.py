"""Twilio: its client, whose validator signs what our door checks."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from support import equal

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "simulated-twilio-token"
PUBLIC = "https://debrief.example.com"
PATH = "/webhooks/twilio/recording"


class ToAddress(TwilioHttpClient):
    """Sends what the client sends to its API to an address of ours."""

    def __init__(self, address):
        super().__init__()
        self.address = address

    def request(self, method, url, *args, **kwargs):
        return super().request(method, url.replace("https://api.twilio.com", self.address), *args, **kwargs)


def check_the_client_reads_the_account(address):
    account = Client(ACCOUNT, TOKEN, http_client=ToAddress(address)).api.v2010.accounts(ACCOUNT).fetch()
    equal((account.sid, account.status), (ACCOUNT, "active"))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until_ready(process, base):
    for _ in range(300):
        assert process.poll() is None, "debrief ended before it was ready"
        try:
            with urllib.request.urlopen(f"{base}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("debrief did not get ready")


def status(base, path, headers, body):
    request = urllib.request.Request(f"{base}{path}", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def check_the_door_takes_what_the_validator_signs_and_nothing_else(address):
    base = f"http://127.0.0.1:{free_port()}"
    validator = RequestValidator(TOKEN)
    form = {
        "AccountSid": ACCOUNT,
        "CallSid": "CA0123456789abcdef0123456789abcdef",
        "RecordingSid": "RE0123456789abcdef0123456789abcdef",
        "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE0123",
        "RecordingStatus": "absent",
        "Caller": "Zo\u00eb & S\u00f8n +1",
    }
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    encoded = urllib.parse.urlencode(form).encode()
    as_json = json.dumps(form).encode()
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "DEBRIEF_DATA_DIR": folder,
            "PORT": base.rsplit(":", 1)[1],
            "DEBRIEF_PUBLIC_URL": PUBLIC,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_BASE_URL": address,
        }
        program = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), "debrief")
        environment = {"PATH": os.environ["PATH"], "RUST_LOG": "warn", **settings}
        with subprocess.Popen([program, "run"], env=environment, cwd=folder) as process:
            try:
                until_ready(process, base)
                for signed_url in [f"{PUBLIC}{PATH}", f"{PUBLIC}:443{PATH}"]:
                    signature = validator.compute_signature(signed_url, form)
                    headers = {**form_type, "X-Twilio-Signature": signature}
                    equal(status(base, PATH, headers, encoded), 204)
                forged = RequestValidator("another token").compute_signature(f"{PUBLIC}{PATH}", form)
                equal(status(base, PATH, {**form_type, "X-Twilio-Signature": forged}, encoded), 401)
                equal(status(base, PATH, form_type, encoded), 401)
                path = f"{PATH}?bodySHA256={hashlib.sha256(as_json).hexdigest()}"
                signature = validator.compute_signature(f"{PUBLIC}{path}", {})
                headers = {"Content-Type": "application/json", "X-Twilio-Signature": signature}
                equal(status(base, path, headers, as_json), 204)
                equal(status(base, path, headers, as_json + b" "), 401)
            finally:
                process.terminate()
