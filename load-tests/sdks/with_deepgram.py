"""Speech to text: the client `deepgram`."""

from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment

from support import equal, raises
from with_assemblyai import recording


def transcribe(address, key="simulated", **arguments):
    place = DeepgramClientEnvironment(
        base=address, production=address, agent=address, agent_rest=address
    )
    client = DeepgramClient(api_key=key, environment=place)
    return client.listen.v1.media.transcribe_file(
        request=recording(), request_options={"max_retries": 0}, **arguments
    )


def check_a_recording_becomes_utterances_with_voices(address):
    done = transcribe(address, model="nova-3", utterances=True, diarize_model="latest", keyterm=["Dana Ortiz", "Acme"])
    equal([(one.speaker, one.transcript, one.start) for one in done.results.utterances], [
        (0, "Hello there.", 0.0),
        (1, "Good morning, what can I do?", 1.0),
    ])
    equal((done.metadata.duration, done.metadata.channels), (2.0, 1))


def check_channels_are_transcribed_apart(address):
    done = transcribe(address, model="nova-3", multichannel=True, utterances=True)
    equal([channel.alternatives[0].transcript for channel in done.results.channels], [
        "Hello there.",
        "Good morning, what can I do?",
    ])


def check_a_model_that_does_not_exist_is_refused(address):
    equal(raises(ApiError, lambda: transcribe(address, model="imaginary")).status_code, 400)
