"""The sound of a live call, and the provider of speech to text that hears it.

The sound has no words. It is a buzz in syllables with the two loudest resonances of a mouth, which is speech to whoever
looks for speech. The provider says the same words for each turn.
"""

import contextlib
import http.server
import json
import math
import pathlib
import threading
import wave

WORDS = "I want to cancel. When is the refund on my account?"
RATE = 8_000
# One piece for each pitch.
PITCHES_HZ = (130, 170, 210)
SPEAKS_MS = 1_200
# A turn ends at a pause of 600 ms.
SILENT_MS = 1_300
# The samples of a very short piece.
SHORT = 160
LOUDNESS = 5_000


def write(folder):
    """Writes the files of a call, and gives their paths: the pieces in which somebody speaks, and a very short one."""
    silent = [0] * (SILENT_MS * RATE // 1000)
    pieces = [[voice(pitch, at / RATE) for at in range(SPEAKS_MS * RATE // 1000)] + silent for pitch in PITCHES_HZ]
    return {
        "sounds": [write_wav(folder, f"piece-{number}", piece) for number, piece in enumerate(pieces)],
        "silence": write_wav(folder, "silence", [0] * SHORT),
    }


def write_wav(folder, name, samples):
    path = str(pathlib.Path(folder, f"{name}.wav"))
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
    return path


def voice(pitch, seconds):
    """One sample of somebody who speaks at this pitch."""
    syllable = math.sqrt(max(math.sin(math.tau * 4 * seconds), 0))
    first = 550 + 200 * math.sin(math.tau * 1.3 * seconds)
    second = 1_500 + 400 * math.sin(math.tau * 0.9 * seconds)
    total = 0.0
    for overtone in range(1, 16):
        frequency = pitch * overtone
        strength = near(frequency, first, 120) + 0.5 * near(frequency, second, 180) + 0.02
        total += strength * math.sin(math.tau * frequency * seconds)
    return int(max(-32_000, min(32_000, LOUDNESS * syllable * total)))


def near(frequency, formant, width):
    return 1 / (1 + ((frequency - formant) / width) ** 2)


class Hears(http.server.BaseHTTPRequestHandler):
    """Answers as a server does that speaks OpenAI's API."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"data": []})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"text": WORDS, "duration": SPEAKS_MS / 1000})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing: what a provider is asked is no news."""


@contextlib.contextmanager
def hearing():
    """Runs the provider, and gives its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hears) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
