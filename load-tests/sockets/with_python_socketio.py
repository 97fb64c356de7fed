"""A live call, heard by clients of `python-socketio`, with a client of HTTP that sends the audio."""

import asyncio
import pathlib
import secrets

import aiohttp
import socketio
import speech

PATIENCE_SECONDS = 30


class Listener:
    """A socket that notes everything it hears. After every connection it joins the sessions again, where it was."""

    def __init__(self):
        self.socket = socketio.AsyncClient(reconnection_delay=0.1)
        self.heard = []
        self.joined = {}
        self.news = asyncio.Condition()
        self.socket.on("*", self.note)
        self.socket.on("connect", self.join_again)

    async def note(self, name, data):
        async with self.news:
            self.heard.append((name, data))
            self.news.notify_all()

    async def join_again(self):
        for session in list(self.joined):
            await self.ask_to_join(session)

    async def connect(self, place, transport):
        await self.socket.connect(place["listen"], auth={"token": place["key"]}, transports=[transport])
        await self.hears("connection_status")

    async def join(self, session, after):
        self.joined[session] = after
        await self.ask_to_join(session)
        await self.hears("joined_session", lambda data: data["session_id"] == session)

    async def ask_to_join(self, session):
        numbers = [data["seq"] for _, data in self.of(session)]
        after = numbers[-1] if numbers else self.joined[session]
        await self.socket.emit("join_call_session", {"session_id": session, "after": after})

    def of(self, session):
        """The events of a session, in the order in which they came."""
        return [(name, data) for name, data in self.heard if "seq" in data and data["session_id"] == session]

    async def hears(self, name, condition=lambda _: True, count=1):
        """Waits for so many events of this name for which the condition holds, and returns the data of the last one."""

        def found():
            return [data for event, data in self.heard if event == name and condition(data)]

        async with self.news:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self.news.wait_for(lambda: len(found()) >= count)
            except TimeoutError:
                raise AssertionError(f"waited in vain for {name}; it heard at last {self.heard[-5:]}") from None
        return found()[count - 1]


class Sender:
    """Whoever sends a call."""

    def __init__(self, http):
        self.http = http

    async def ask(self, method, path, **options):
        async with self.http.request(method, f"/api/calls/{path}", **options) as answer:
            assert answer.status == 200, f"{path} was answered {answer.status}: {await answer.text()}"
            return await answer.json()

    async def send(self, session, sequence, sound):
        form = aiohttp.FormData({"sequence": str(sequence), "speaker": "customer"})
        form.add_field("audio_file", pathlib.Path(sound).read_bytes(), filename="piece.wav")
        await self.ask("POST", f"{session}/audio", data=form)

    async def events(self, session):
        """All events of a session, in the form in which a listener hears them."""
        answer = await self.ask("GET", f"{session}/events?after=0")
        return [(event["type"], {**event["data"], "seq": event["seq"]}) for event in answer["events"]]


async def refused(place, auth):
    # Where it polls, this client may forget to close a connection that was refused. Then it waits until the server does.
    transports = ["websocket"]
    socket = socketio.AsyncClient(reconnection=False)
    reasons = []
    socket.on("connect_error", reasons.append)
    try:
        await socket.connect(place["listen"], auth=auth, transports=transports)
    except socketio.exceptions.ConnectionError:
        assert "key" in str(reasons), reasons
    else:
        raise AssertionError(f"the handshake {auth} was let in")
    finally:
        await socket.shutdown()


async def call(place, transport):
    await refused(place, None)
    await refused(place, {"token": "wrong"})
    listeners = [Listener() for _ in range(3)]
    headers = {"Authorization": f"Bearer {place['key']}"}
    try:
        async with aiohttp.ClientSession(place["send"], headers=headers) as http:
            await listen(Sender(http), place, transport, listeners)
    finally:
        for listener in listeners:
            await listener.socket.shutdown()


async def listen(sender, place, transport, listeners):
    early, away, later = listeners
    session = f"session-{secrets.token_hex(8)}"
    await sender.ask("POST", "start", json={"session_id": session})
    await early.connect(place, transport)
    await early.socket.emit("join_call_session", {"session_id": f"nobody-{session}"})
    assert "there is no session" in (await early.hears("error"))["message"]
    await away.connect(place, transport)
    for listener in (early, away):
        await listener.join(session, 0)
    await sender.send(session, 0, place["sounds"][0])
    said = await early.hears("transcript_update")
    assert (said["text"], said["speaker"], said["is_final"]) == (speech.WORDS, "customer", True), said
    advice = await early.hears("real_time_insights", lambda data: data["source"] == "rules")
    assert advice["urgency_level"] == "high", advice
    await away.hears("transcript_update")
    await away.socket.disconnect()
    await sender.send(session, 1, place["sounds"][1])
    await early.hears("transcript_update", count=2)
    await away.connect(place, transport)
    await later.connect(place, transport)
    await later.join(session, 2)
    await sender.ask("POST", f"{session}/end", json={})
    await early.hears("call_status", lambda data: data["status"] == "completed")
    told = await sender.events(session)
    assert [data["seq"] for _, data in told] == list(range(1, len(told) + 1)), told
    last, data = told[-1]
    for name, listener, after in (("early", early, 0), ("away", away, 0), ("later", later, 2)):
        await listener.hears(last, lambda heard: heard == data)
        heard = listener.of(session)
        assert heard == told[after:], f"{name} heard {heard}, and the session has {told}"
