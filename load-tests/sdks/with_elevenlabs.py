"""Speech to text: the client `elevenlabs`."""

from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

from support import equal, raises
from with_assemblyai import recording


def convert(address, **arguments):
    client = ElevenLabs(api_key="simulated", base_url=address)
    file = ("call.wav", recording(), "audio/wav")
    return client.speech_to_text.convert(file=file, request_options={"max_retries": 0}, **arguments)


def check_a_recording_becomes_words_with_speakers(address):
    done = convert(address, model_id="scribe_v2", diarize=True)
    words = [word for word in done.words if word.type == "word"]
    equal((words[0].text, words[0].speaker_id, words[-1].speaker_id), ("Hello", "speaker_0", "speaker_1"))
    equal(done.language_code, "eng")


def check_channels_are_transcribed_apart(address):
    done = convert(address, model_id="scribe_v2", use_multi_channel=True)
    equal([(one.channel_index, one.text) for one in done.transcripts], [
        (0, "Hello there."),
        (1, "Good morning, what can I do?"),
    ])


def check_a_wrong_form_is_refused(address):
    equal(raises(ApiError, lambda: convert(address, model_id="scribe_v9")).status_code, 400)
