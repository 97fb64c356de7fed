"""Gives the fuzzer what OpenAPI cannot say. Only requests that should be accepted are changed.

A request of which one part was made wrong on purpose goes out as the fuzzer made it.
"""

import io
import uuid
import wave

import schemathesis


def wav():
    """A tenth of a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(8000)
        recording.writeframes(bytes(1600))
    return file.getvalue()


WAV = wav()
VTT = b"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nAnn: Good morning.\n"


def is_empty(value):
    return value in ("", None, [], {}) or value in ([""], ["null"])


@schemathesis.hook
def filter_case(context, case):
    """Leaves out requests that are accepted on purpose although the document does not describe them."""
    if case.meta is None or case.meta.generation.mode.is_positive:
        return True
    # A parameter without a value is as if it were absent, and it can stand for a value of any type.
    if any(is_empty(value) for value in (case.query or {}).values()):
        return False
    # RFC 9110, section 14.2: a `Range` that cannot be read is ignored, and the whole recording is sent.
    return not any(name.lower() == "range" for name in (case.headers or {}))


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # A key stands for one request, and the fuzzer uses the same ones again and again.
    for name in [name for name in (case.headers or {}) if name.lower() == "idempotency-key"]:
        case.headers[name] = str(uuid.uuid4())
    # `page` and `skip` exclude each other.
    if case.query and "page" in case.query and "skip" in case.query:
        del case.query["skip"]
    if not isinstance(case.body, dict):
        return
    # Bytes have to be a recording or a transcript.
    if case.path in ("/api/calls", "/api/meetings") and case.method.upper() == "POST":
        case.body["audio"] = WAV
    if case.path == "/api/meetings":
        case.body["transcript"] = VTT
    # A session that has no id of its own needs one beside it.
    if case.path == "/api/sessions":
        case.body["call_id"] = case.body.get("call_id") or "session-1"
