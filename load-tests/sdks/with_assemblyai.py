"""Speech to text: the client `assemblyai`."""

import io
import json
import wave

import assemblyai

from support import equal, raises

DIALOGUE = [
    {"speaker": "Ada", "start": 0, "end": 900, "text": "Hello there."},
    {"speaker": "Bo", "start": 1000, "end": 2000, "text": "Good morning, what can I do?"},
]


def recording():
    """A recording of two seconds, whose comment holds the dialogue for the simulator."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(bytes([128]) * 16000)
    comment = json.dumps({"utterances": DIALOGUE}).encode() + b"\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFO" + b"ICMT" + len(comment).to_bytes(4, "little") + comment
    chunk = b"LIST" + len(info).to_bytes(4, "little") + info
    riff = file.getvalue()
    body = riff[8:36] + chunk + riff[36:]
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def use(address, key="simulated"):
    assemblyai.settings.base_url = address
    assemblyai.settings.api_key = key
    assemblyai.settings.polling_interval = 0.1
    assemblyai.Client._default = None
    return assemblyai.Transcriber()


def transcribed(address):
    config = assemblyai.TranscriptionConfig(
        speech_models=["universal-2"], speaker_labels=True, language_detection=True
    )
    return use(address).transcribe(recording(), config)


def check_a_recording_becomes_a_transcript(address):
    done = transcribed(address)
    equal(done.status, assemblyai.TranscriptStatus.completed)
    equal([(one.speaker, one.text, one.start) for one in done.utterances], [
        ("A", "Hello there.", 0),
        ("B", "Good morning, what can I do?", 1000),
    ])
    equal(done.words[0].text, "Hello")
    equal(assemblyai.Transcript.get_by_id(done.id).text, done.text)


def check_a_transcript_is_given_as_subtitles(address):
    done = transcribed(address)
    equal(done.export_subtitles_vtt().split("\n")[:4], ["WEBVTT", "", "00:00.000 --> 00:00.900", "Hello there."])
    equal(done.export_subtitles_srt().split("\n")[:3], ["1", "00:00:00,000 --> 00:00:00,900", "Hello there."])
    lines = done.export_subtitles_vtt(chars_per_caption=14).split("\n")
    texts = [line for line in lines[1:] if line and "-->" not in line]
    equal(" ".join(texts), done.text)
    assert len(texts) > 2 and all(len(text) <= 14 for text in texts), texts
    unknown = raises(assemblyai.TranscriptError, lambda: assemblyai.api.export_subtitles_srt(
        assemblyai.Client.get_default().http_client, "nobody", None))
    equal(unknown.status_code, 404)


def check_transcripts_are_listed_newest_first_and_in_pages(address):
    ids = [transcribed(address).id for _ in range(3)]
    transcriber = use(address)
    page = transcriber.list_transcripts(assemblyai.ListTranscriptParameters(limit=2))
    equal([one.id for one in page.transcripts], [ids[2], ids[1]])
    equal((page.page_details.limit, page.page_details.result_count), (2, 2))
    older = assemblyai.ListTranscriptParameters(limit=2, before_id=page.page_details.before_id_of_prev_url)
    equal(transcriber.list_transcripts(older).transcripts[0].id, ids[0])
    failed = assemblyai.ListTranscriptParameters(status=assemblyai.TranscriptStatus.error)
    equal(transcriber.list_transcripts(failed).transcripts, [])


def check_a_transcript_is_deleted(address):
    done = transcribed(address)
    deleted = assemblyai.Transcript.delete_by_id(done.id)
    equal((deleted.id, deleted.words), (done.id, None))
    assert "Hello" not in deleted.text, deleted.text
    assert "Hello" not in (assemblyai.Transcript.get_by_id(done.id).text or "")
    newest = use(address).list_transcripts(assemblyai.ListTranscriptParameters(limit=1)).transcripts[0]
    equal((newest.id, newest.audio_url), (done.id, "http://deleted_by_user"))


def check_a_retired_model_is_refused(address):
    config = assemblyai.TranscriptionConfig(speech_models=["nano"])
    refused = raises(assemblyai.TranscriptError, lambda: use(address).submit(recording(), config))
    assert "deprecated" in str(refused), refused


def check_a_job_without_audio_fails(address):
    config = assemblyai.TranscriptionConfig(speech_models=["universal-2"])
    failed = use(address).transcribe("http://127.0.0.1:9/nothing.wav", config)
    equal(failed.status, assemblyai.TranscriptStatus.error)
    assert failed.error
