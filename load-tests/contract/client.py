"""Uploads a recording, reads the call and downloads the recording, with a client that was generated from the document.

Arguments: the folder that holds the generated package `debrief_client`, the address of Debrief, and its key.
"""

import io
import random
import sys
import time

folder, address, key = sys.argv[1:]
sys.path.insert(0, folder)

from debrief_client import AuthenticatedClient  # noqa: E402
from debrief_client.api.bringing_in import announce_call, upload_recording  # noqa: E402
from debrief_client.api.calls import get_call, get_recording, list_calls  # noqa: E402
from debrief_client.models import CallAnnounced, CallForm, CallFormMetadata  # noqa: E402
from debrief_client.models import ListCallsStatus  # noqa: E402
from debrief_client.types import File  # noqa: E402


def wav():
    """A recording of all byte values in a random order, so that a text in any encoding would change it."""
    samples = bytes(range(256)) * 64 + random.randbytes(100_000)
    head = b"WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
    body = head + b"data" + len(samples).to_bytes(4, "little") + samples
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r} is not {wanted!r}")


recording = wav()
client = AuthenticatedClient(base_url=address, token=key, raise_on_unexpected_status=True)
metadata = CallFormMetadata.from_dict({"call_id": "generated-client", "agent_name": "Dana Ortiz"})
form = CallForm(audio=File(payload=io.BytesIO(recording), file_name="call.wav"), metadata=metadata)
accepted = upload_recording.sync_detailed(client=client, body=form, idempotency_key="generated-client-1")
expect("the upload", accepted.status_code, 202)

# The call is in the store as soon as the stage after the door has taken it.
for _ in range(200):
    answer = get_call.sync_detailed(client=client, id=str(accepted.parsed.call_id))
    if answer.status_code == 200:
        break
    time.sleep(0.1)
expect("the call", answer.status_code, 200)
call = answer.parsed
expect("the source's id", call.external_id, "generated-client")
expect("the agent", call.metadata["agent_name"], "Dana Ortiz")

downloaded = get_recording.sync_detailed(client=client, id=call.external_id)
expect("the download", downloaded.status_code, 200)
expect("the recording", downloaded.parsed.payload.read() == recording, True)
part = get_recording.sync_detailed(client=client, id=call.external_id, range_="bytes=44-143")
expect("a part of the download", part.status_code, 206)
expect("a part of the recording", part.parsed.payload.read() == recording[44:144], True)

announced = announce_call.sync_detailed(client=client, body=CallAnnounced(call_id=" CA-77 ", duration=12))
expect("the id of the webhook", announced.parsed.call_id, "CA-77")
listed = list_calls.sync(client=client, limit=5, status=ListCallsStatus.FAILED)
expect("the page", (listed.page, listed.limit), (1, 5))
print("the generated client uploaded, read and downloaded")
