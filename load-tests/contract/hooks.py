"""Gives the fuzzer what OpenAPI cannot say. Only requests that should be accepted are changed.

A request of which one part was made wrong on purpose goes out as the fuzzer made it.
"""

import io
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


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
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
        case.body.setdefault("call_id", "session-1")
