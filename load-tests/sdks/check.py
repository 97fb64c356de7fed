"""Holds the simulators of providers to the public clients of these providers.

A client of somebody else knows nothing about the simulators. What it sends and what it reads is what the real provider
takes and answers, so a simulator that a client does not understand is wrong.

    check.py SIMULATE

SIMULATE is the program that runs the simulators. `debrief` stands beside it. The program ends with 1 when a client and a simulator differ.
"""

import json
import os
import subprocess
import sys
import time
import traceback

import with_assemblyai
import with_deepgram
import with_elevenlabs
import with_openai
import with_simple_salesforce
import with_slack_sdk
import with_twilio

CLIENTS = {
    "slack": with_slack_sdk,
    "openai": with_openai,
    "assemblyai": with_assemblyai,
    "deepgram": with_deepgram,
    "elevenlabs": with_elevenlabs,
    "salesforce": with_simple_salesforce,
    "twilio": with_twilio,
}


def checks(module):
    """The checks of a module: its functions whose names begin with `check_`, in the order of the file."""
    return [value for name, value in vars(module).items() if name.startswith("check_")]


def run(name, check, address):
    began = time.monotonic()
    try:
        check(address)
    except Exception:  # Whatever a client raises is a difference.
        traceback.print_exc()
        print(f"FAILED {name} {check.__name__}")
        return False
    print(f"ok     {name} {check.__name__} ({time.monotonic() - began:.1f} s)")
    return True


def main():
    # The clients read proxies and keys from the environment. Everything here goes to loopback.
    for variable in list(os.environ):
        ours = ("OPENAI_", "ASSEMBLYAI_", "DEEPGRAM_", "ELEVENLABS_", "SLACK_", "TWILIO_", "DEBRIEF_")
        if variable.lower().endswith("_proxy") or variable.startswith(ours):
            del os.environ[variable]
    command = [sys.argv[1], "all", "--json", "--transcription-ms", "300", "--contact-field", "Id"]
    fields = "FirstName LastName Salutation Email Phone Title CreatedDate LastModifiedDate Debrief_Id__c"
    for field in fields.split():
        command += ["--contact-field", field]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulate:
        try:
            addresses = json.loads(simulate.stdout.readline())
            results = [
                run(name, check, addresses[name]) for name, module in CLIENTS.items() for check in checks(module)
            ]
        finally:
            simulate.terminate()
    failed = results.count(False)
    print(f"clients: {len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
