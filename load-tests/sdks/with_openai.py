"""Chat completions and transcriptions: the client `openai`."""

import json

import openai

from support import equal, raises
from with_assemblyai import recording

MESSAGES = [
    {"role": "system", "content": "Read the call."},
    {"role": "user", "content": "[1] Bo: Good morning.\n[2] Ada: I need a refund for my last invoice, please."},
]
SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "concern": {"type": ["string", "null"]}},
    "required": ["summary", "concern"],
    "additionalProperties": False,
}
STRICT = {"type": "json_schema", "json_schema": {"name": "reading", "strict": True, "schema": SCHEMA}}


def client(address, key="simulated"):
    return openai.OpenAI(api_key=key, base_url=f"{address}/v1", max_retries=0)


def complete(address, **arguments):
    return client(address).chat.completions.create(model="simulated-model", messages=MESSAGES, **arguments)


def check_an_answer_keeps_to_the_strict_schema(address):
    answer = complete(address, response_format=STRICT)
    equal((answer.object, answer.choices[0].finish_reason), ("chat.completion", "stop"))
    equal(set(json.loads(answer.choices[0].message.content)), {"summary", "concern"})
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)


def check_a_repair_is_part_of_the_conversation(address):
    repair = [{"role": "assistant", "content": "{"}, {"role": "user", "content": "That is not JSON."}]
    answer = client(address).chat.completions.create(
        model="simulated-model", messages=MESSAGES + repair, response_format=STRICT
    )
    equal(set(json.loads(answer.choices[0].message.content)), {"summary", "concern"})


def check_several_answers_are_given(address):
    answer = complete(address, n=3)
    equal([choice.index for choice in answer.choices], [0, 1, 2])
    assert all(choice.message.content for choice in answer.choices)
    for wrong in (0, 129):
        equal(raises(openai.BadRequestError, lambda: complete(address, n=wrong)).param, "n")


def check_an_answer_comes_in_pieces(address):
    whole = complete(address).choices[0].message.content
    chunks = list(complete(address, n=2, stream=True, stream_options={"include_usage": True}))
    equal(chunks[0].object, "chat.completion.chunk")
    equal(chunks[0].choices[0].delta.role, "assistant")
    for index in (0, 1):
        choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        equal("".join(choice.delta.content or "" for choice in choices), whole)
        equal([choice.finish_reason for choice in choices if choice.finish_reason], ["stop"])
    equal((chunks[-1].choices, chunks[-2].usage), ([], None))
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in complete(address, stream=True))
    with client(address).chat.completions.stream(model="simulated-model", messages=MESSAGES) as stream:
        equal(stream.get_final_completion().choices[0].message.content, whole)
    refused = raises(openai.BadRequestError, lambda: complete(address, stream_options={"include_usage": True}))
    equal(refused.param, "stream_options")


def check_any_json_must_be_asked_for_in_words(address):
    refused = raises(openai.BadRequestError, lambda: complete(address, response_format={"type": "json_object"}))
    equal((refused.param, refused.type), ("messages", "invalid_request_error"))
    assert "must contain the word 'json'" in refused.message, refused.message
    asked = MESSAGES + [{"role": "user", "content": "Answer in JSON."}]
    answer = client(address).chat.completions.create(
        model="simulated-model", messages=asked, response_format={"type": "json_object"}
    )
    json.loads(answer.choices[0].message.content)


def check_an_answer_is_cut_at_its_limit(address):
    answer = complete(address, max_completion_tokens=3)
    equal(answer.choices[0].finish_reason, "length")


def check_models_are_listed_and_refused(address):
    models = client(address).models
    assert "simulated-model" in [model.id for model in models.list()]
    equal(models.retrieve("simulated-model").id, "simulated-model")
    equal(raises(openai.NotFoundError, lambda: models.retrieve("gpt-4")).code, "model_not_found")
    open_schema = {**SCHEMA, "additionalProperties": True}
    wrong = {"type": "json_schema", "json_schema": {"name": "reading", "strict": True, "schema": open_schema}}
    raises(openai.BadRequestError, lambda: complete(address, response_format=wrong))


def check_a_wrong_key_is_told_from_a_wrong_request(address):
    wrong = openai.OpenAI(
        api_key="x", base_url=f"{address}/v1", max_retries=0, default_headers={"Authorization": "Basic x"}
    )
    raises(openai.AuthenticationError, lambda: wrong.models.list())


def transcribe(address, **arguments):
    file = ("call.wav", recording(), "audio/wav")
    return client(address).audio.transcriptions.create(file=file, **arguments)


def check_a_recording_becomes_turns_with_speakers(address):
    done = transcribe(
        address, model="gpt-4o-transcribe-diarize", response_format="diarized_json", chunking_strategy="auto"
    )
    equal([(one.speaker, one.text, one.start) for one in done.segments], [
        ("A", "Hello there.", 0.0),
        ("B", "Good morning, what can I do?", 1.0),
    ])
    equal((done.duration, done.usage.type), (2.0, "tokens"))


def check_whisper_gives_times_for_words(address):
    granularities = ["segment", "word"]
    done = transcribe(
        address, model="whisper-1", response_format="verbose_json", timestamp_granularities=granularities
    )
    equal((done.language, done.words[0].word, len(done.segments)), ("english", "Hello", 2))
    refused = raises(openai.BadRequestError, lambda: transcribe(address, model="whisper-1", response_format="diarized_json"))
    equal(refused.param, "response_format")
