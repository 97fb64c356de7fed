// The page of a meeting works without this script. With it, the answer comes sentence by sentence, and where Debrief has a voice
// it is heard. Where Debrief understands speech, one can speak.
(() => {
  "use strict";

  const form = document.getElementById("say");
  if (form === null) return;
  const coming = document.getElementById("coming");
  const turns = document.getElementById("turns");
  const message = form.elements.message;
  const button = form.querySelector("button");
  const csrf = document.querySelector("meta[name=csrf]").content;
  const voice = document.getElementById("voice");
  const heard = document.getElementById("heard");
  const player = voice === null ? null : new MeetingSound.Player();
  const tell = (text) => { if (heard !== null && heard.textContent !== text) heard.textContent = text; };

  // --- What is shown -------------------------------------------------------------------------------------------------
  const name = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  // One turn of the visitor with the answers to it, until the list of turns has them.
  class Exchange {
    constructor(said) {
      this.items = [];
      this.waits = null;
      this.speaker = null;
      const words = this.line(coming.dataset.you);
      words.textContent = said;
      words.parentElement.className = "ours";
    }

    // A line of somebody who speaks. It is text, whatever stands in it.
    line(who) {
      const item = document.createElement("li");
      const speaker = document.createElement("strong");
      const words = document.createElement("p");
      speaker.textContent = who;
      words.className = "text";
      words.dir = "auto";
      item.append(speaker, words);
      coming.append(item);
      coming.hidden = false;
      item.scrollIntoView({ block: "nearest" });
      this.items.push(item);
      return words;
    }

    waiting() {
      this.waits = this.line(coming.dataset.waits).parentElement;
    }

    // A sentence. Each one who speaks has a line.
    sentence({ speaker_id: id, speaker_name: who, text }) {
      this.waits?.remove();
      if (this.speaker?.id !== id) this.speaker = { id, words: this.line(who) };
      const { words } = this.speaker;
      words.textContent = `${words.textContent} ${text}`.trim();
    }

    remove() {
      for (const item of this.items) item.remove();
      coming.hidden = coming.childElementCount === 0;
    }
  }

  const refreshed = () => new Promise((resolve) => {
    turns.addEventListener("debrief:replaced", resolve, { once: true });
    setTimeout(resolve, 3000);
    document.dispatchEvent(new CustomEvent("debrief:refresh"));
  });
  // The list of turns is not replaced while one of its sounds is played. So it is asked for again afterwards.
  turns.addEventListener("pause", () => document.dispatchEvent(new CustomEvent("debrief:refresh")), true);
  const silence = () => { for (const sound of document.querySelectorAll("audio")) sound.pause(); };

  // --- What is written, and its answer -------------------------------------------------------------------------------
  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) {
        const of = (field) => part.split("\n").filter((one) => one.startsWith(`${field}:`)).map((one) => one.slice(field.length + 1).trim()).join("\n");
        if (of("data") !== "") yield { kind: of("event"), data: JSON.parse(of("data")) };
      }
    }
  }

  const say = async (said, exchange) => {
    const body = new URLSearchParams({ message: said, once: form.elements.once.value });
    const headers = { accept: "text/event-stream", "x-csrf-token": csrf };
    const answer = await fetch(form.action, { method: "POST", headers, body, credentials: "same-origin" });
    if (!answer.ok || !(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) return false;
    exchange.waiting();
    for await (const { kind, data } of events(answer.body)) {
      if (kind === "error") return false;
      if (kind === "ai_response_text") exchange.sentence(data);
      else if (kind === "ai_audio") player?.add(data.data);
    }
    return true;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = message.value;
    silence();
    player?.stop();
    player?.open();
    if (conversation?.say(said)) {
      message.value = "";
      return;
    }
    button.disabled = true;
    const exchange = new Exchange(said);
    message.value = "";
    const done = await say(said, exchange).catch(() => false);
    if (!done) {
      // The browser sends the form itself. The page then says what is wrong, and a turn that was taken is not taken twice.
      message.value = said;
      button.disabled = false;
      form.submit();
      return;
    }
    await refreshed();
    exchange.remove();
    form.elements.once.value = name();
    button.disabled = false;
    message.focus();
  });

  message.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  // --- What is heard -------------------------------------------------------------------------------------------------
  let conversation = null;
  if (voice === null || !("AudioContext" in window)) return;
  voice.hidden = false;
  const SOUND = "debrief-practice-sound";
  // A browser can be told to keep nothing for a page.
  const kept = () => { try { return localStorage.getItem(SOUND); } catch { return null; } };
  const keep = (value) => { try { localStorage.setItem(SOUND, value); } catch { /* It is the same again next time. */ } };
  const sound = document.getElementById("sound");
  if (sound !== null) {
    const shown = () => sound.setAttribute("aria-pressed", String(player.isOn));
    player.turn(kept() !== "off");
    shown();
    sound.addEventListener("click", () => {
      player.turn(!player.isOn);
      player.open();
      keep(player.isOn ? "on" : "off");
      shown();
    });
  }

  // --- What is spoken ------------------------------------------------------------------------------------------------
  const KEEP_ALIVE_MS = 25000;
  // A conversation over the WebSocket of the meeting.
  class Conversation {
    constructor(microphone) {
      this.microphone = microphone;
      // Turns that were not answered yet, and the one that is.
      this.waiting = [];
      this.current = null;
      this.hasBegun = false;
      this.isStopped = false;
      // Debrief understands one thing at a time.
      this.isUnderstanding = false;
      this.isEndDue = false;
    }

    open() {
      const address = new URL(voice.dataset.socket, location.href);
      address.protocol = address.protocol.replace("http", "ws");
      this.socket = new WebSocket(address);
      this.socket.binaryType = "arraybuffer";
      this.socket.onmessage = ({ data }) => {
        const { type, ...fields } = JSON.parse(data);
        this[`on_${type}`]?.(fields);
      };
      return new Promise((resolve, reject) => {
        this.socket.onopen = () => {
          this.alive = setInterval(() => this.send({ type: "ping" }), KEEP_ALIVE_MS);
          resolve();
        };
        this.socket.onclose = () => {
          clearInterval(this.alive);
          reject(new Error("closed"));
          broken(this);
        };
      });
    }

    get isOpen() {
      return this.socket.readyState === WebSocket.OPEN;
    }

    send(fields) {
      if (this.isOpen) this.socket.send(JSON.stringify(fields));
    }

    // Says something that was written. Returns false where it has to be sent in another way.
    say(said) {
      const text = said.trim();
      if (!this.isOpen || text === "") return false;
      this.interrupt();
      this.waiting.push(new Exchange(text));
      this.send({ type: "message", text });
      return true;
    }

    // Stops whoever speaks. Debrief keeps as said only what was played.
    interrupt() {
      const played_ms = player.playedMs;
      player.stop();
      if (this.current === null || !this.hasBegun || this.isStopped) return;
      this.isStopped = true;
      this.send({ type: "interrupt", played_ms });
    }

    begun() {
      silence();
      this.interrupt();
      tell(voice.dataset.hears);
      this.send({ type: "audio_chunk", is_speaking: true, sample_rate: MeetingSound.Microphone.RATE });
    }

    piece(samples) {
      if (this.isOpen) this.socket.send(samples.buffer);
    }

    ended() {
      tell(voice.dataset.understands);
      if (this.isUnderstanding) this.isEndDue = true;
      else this.end();
    }

    end() {
      this.isEndDue = false;
      this.isUnderstanding = true;
      this.send({ type: "audio_chunk", is_speaking: false });
    }

    // What was said is understood. What was said meanwhile comes next.
    understood(text) {
      this.isUnderstanding = false;
      if (this.isEndDue) this.end();
      else if (!this.microphone.isSpeaking) tell(text);
    }

    on_transcription({ text, is_turn }) {
      if (is_turn && text !== "") this.waiting.push(new Exchange(text));
      this.understood(text === "" ? voice.dataset.nothing : isListening() ? voice.dataset.listens : "");
    }

    on_ai_thinking() {
      this.current = this.waiting.shift() ?? null;
      this.current?.waiting();
      this.hasBegun = false;
      this.isStopped = false;
      player.beginTurn();
    }

    on_ai_response_text(sentence) {
      this.hasBegun = true;
      if (this.isStopped) return;
      this.current?.sentence(sentence);
      // Nobody begins to speak while the visitor speaks.
      if (this.microphone.isSpeaking) this.interrupt();
    }

    on_ai_audio({ data, is_final }) {
      if (this.isStopped) return;
      if (is_final) player.beginTurn();
      else player.add(data);
    }

    on_interrupted() {
      this.isStopped = true;
      player.stop();
    }

    async on_turn_saved() {
      const answered = this.current;
      this.current = null;
      await refreshed();
      answered?.remove();
    }

    on_error({ message: problem }) {
      this.current?.remove();
      this.current = null;
      this.understood(problem);
      document.dispatchEvent(new CustomEvent("debrief:refresh"));
    }

    close() {
      this.socket.onclose = null;
      clearInterval(this.alive);
      this.socket.close();
    }
  }

  const speak = document.getElementById("microphone");
  if (speak === null) return;
  // Without TLS a browser gives the microphone to pages of this machine only.
  if (navigator.mediaDevices === undefined) {
    speak.hidden = true;
    document.getElementById("speak-hint").hidden = true;
    return;
  }
  let microphone = null;
  const isListening = () => microphone !== null;
  const shown = () => {
    speak.textContent = isListening() ? speak.dataset.off : speak.dataset.on;
    speak.classList.toggle("is-on", isListening());
  };
  const hush = () => {
    microphone?.close();
    microphone = null;
    shown();
  };
  const broken = (whose) => {
    if (conversation !== whose) return;
    conversation = null;
    hush();
    player.stop();
    tell(voice.dataset.broken);
    refreshed().then(() => coming.replaceChildren());
  };

  speak.addEventListener("click", async () => {
    if (isListening()) {
      hush();
      if (!conversation?.isUnderstanding) tell("");
      return;
    }
    speak.disabled = true;
    player.open();
    const told = {
      begun: () => conversation?.begun(),
      piece: (samples) => conversation?.piece(samples),
      ended: () => conversation?.ended(),
    };
    const opening = new MeetingSound.Microphone(voice.dataset.worklet, told);
    try {
      await opening.open();
    } catch {
      tell(voice.dataset.refused);
      speak.disabled = false;
      return;
    }
    try {
      if (conversation === null) {
        const beginning = new Conversation(opening);
        await beginning.open();
        conversation = beginning;
      }
      conversation.microphone = opening;
      microphone = opening;
      shown();
      tell(voice.dataset.listens);
    } catch {
      opening.close();
      tell(voice.dataset.broken);
    } finally {
      speak.disabled = false;
    }
  });
  addEventListener("pagehide", () => {
    hush();
    conversation?.close();
  });
})();
