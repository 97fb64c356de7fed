// The page of a live call works without this script. With it, words come as they are spoken, and somebody can speak into the
// call with the microphone, or play a file into it as fast as it is spoken.
(() => {
  "use strict";

  const RATE = 16000;
  const PIECE_SECONDS = 1;
  const words = document.getElementById("words");

  // --- What is heard -------------------------------------------------------------------------------------------------
  const EVENTS = ["call_status", "audio_processing_status", "transcript_update", "real_time_insights", "summary_update"];
  const address = new URL(words.dataset.events, location.href);
  let source = null;
  let isAtEnd = true;
  words.addEventListener("scroll", () => {
    isAtEnd = words.scrollTop + words.clientHeight > words.scrollHeight - 40;
  });
  words.addEventListener("debrief:replaced", () => {
    if (isAtEnd) words.scrollTop = words.scrollHeight;
  });
  const heard = (event) => {
    if (event.lastEventId !== "") address.searchParams.set("after", event.lastEventId);
    document.dispatchEvent(new CustomEvent("debrief:refresh"));
  };
  const open = () => {
    if (source !== null || document.hidden) return;
    source = new EventSource(address);
    for (const kind of EVENTS) source.addEventListener(kind, heard);
  };
  const close = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
  words.scrollTop = words.scrollHeight;

  // --- What is spoken ------------------------------------------------------------------------------------------------
  const speak = document.getElementById("speak");
  if (speak === null || !("AudioContext" in window)) return;
  speak.hidden = false;
  const csrf = document.querySelector("meta[name=csrf]").content;
  const speaker = document.getElementById("speaker");
  const progress = document.getElementById("progress");
  const tell = (text, seconds) => (progress.textContent = text.replace("{}", seconds));
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const wav = (channels) => {
    const [frames, count] = [channels[0].length, channels.length];
    const bytes = new DataView(new ArrayBuffer(44 + frames * count * 2));
    const text = (at, letters) => [...letters].forEach((letter, i) => bytes.setUint8(at + i, letter.charCodeAt(0)));
    text(0, "RIFF");
    bytes.setUint32(4, 36 + frames * count * 2, true);
    text(8, "WAVEfmt ");
    bytes.setUint32(16, 16, true);
    bytes.setUint16(20, 1, true);
    bytes.setUint16(22, count, true);
    bytes.setUint32(24, RATE, true);
    bytes.setUint32(28, RATE * count * 2, true);
    bytes.setUint16(32, count * 2, true);
    bytes.setUint16(34, 16, true);
    text(36, "data");
    bytes.setUint32(40, frames * count * 2, true);
    for (let frame = 0; frame < frames; frame++) {
      for (let channel = 0; channel < count; channel++) {
        const sample = Math.max(-1, Math.min(1, channels[channel][frame]));
        bytes.setInt16(44 + (frame * count + channel) * 2, Math.round(sample * 32767), true);
      }
    }
    return new Blob([bytes], { type: "audio/wav" });
  };

  // A piece is sent again, with the same name, until it is taken. So a weak connection loses nothing and doubles nothing.
  const name = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const send = async (piece) => {
    const key = name();
    for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
      const form = new FormData();
      form.append("speaker", piece.speaker);
      form.append("audio_file", piece.blob, "piece.wav");
      const headers = { "x-csrf-token": csrf, "idempotency-key": key, accept: "application/json" };
      let answer = null;
      try {
        answer = await fetch(speak.dataset.audio, { method: "POST", headers, body: form, credentials: "same-origin" });
      } catch {
        // The connection is away. The piece waits.
      }
      if (answer?.ok) return;
      if (answer !== null && answer.status < 500 && answer.status !== 429) {
        const problem = await answer.json().catch(() => ({}));
        throw new Error(problem.detail ?? String(answer.status));
      }
      await pause(wait);
    }
  };

  // One piece after the other, so they come in their order.
  const pieces = [];
  let isSending = false;
  let sentSeconds = 0;
  let stop = () => {};
  const add = (channels) => {
    pieces.push({ blob: wav(channels), speaker: speaker.value, seconds: channels[0].length / RATE });
    drain();
  };
  const drain = async () => {
    if (isSending) return;
    isSending = true;
    try {
      while (pieces.length > 0) {
        await send(pieces[0]);
        sentSeconds += pieces.shift().seconds;
        const waiting = pieces.reduce((sum, piece) => sum + piece.seconds, 0);
        if (waiting > 3) tell(speak.dataset.late, Math.round(waiting));
        else tell(speak.dataset.sent, Math.round(sentSeconds));
      }
    } catch (problem) {
      pieces.length = 0;
      stop();
      progress.textContent = problem.message;
    } finally {
      isSending = false;
    }
  };

  const pressed = (button, isOn) => {
    button.setAttribute("aria-pressed", String(isOn));
    button.textContent = isOn ? button.dataset.off : button.dataset.on;
  };

  // The microphone.
  const microphone = document.getElementById("microphone");
  let listening = null;
  const listen = async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true } });
    const context = new AudioContext({ sampleRate: RATE });
    await context.audioWorklet.addModule(speak.dataset.worklet);
    const blocks = new AudioWorkletNode(context, "blocks", { numberOfOutputs: 0 });
    let piece = [];
    const flush = () => {
      const length = piece.reduce((sum, block) => sum + block.length, 0);
      if (length === 0) return;
      const samples = new Float32Array(length);
      piece.reduce((at, block) => (samples.set(block, at), at + block.length), 0);
      piece = [];
      add([samples]);
    };
    blocks.port.onmessage = ({ data }) => {
      piece.push(data);
      if (piece.length * data.length >= RATE * PIECE_SECONDS) flush();
    };
    context.createMediaStreamSource(stream).connect(blocks);
    return () => {
      for (const track of stream.getTracks()) track.stop();
      context.close();
      flush();
    };
  };
  microphone.addEventListener("click", async () => {
    if (listening !== null) return stop();
    microphone.disabled = true;
    try {
      listening = await listen();
      pressed(microphone, true);
    } catch {
      progress.textContent = speak.dataset.refused;
    } finally {
      microphone.disabled = false;
    }
  });

  // A file.
  const play = document.getElementById("play");
  const played = document.getElementById("played");
  let isPlaying = false;
  play.addEventListener("click", async () => {
    if (isPlaying) return stop();
    const file = played.files[0];
    if (file === undefined) return played.click();
    isPlaying = true;
    pressed(play, true);
    try {
      const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
      const step = RATE * PIECE_SECONDS;
      const begun = performance.now();
      for (let at = 0; isPlaying && at < sound.length; at += step) {
        const channels = Array.from({ length: Math.min(sound.numberOfChannels, 2) }, (_, channel) =>
          sound.getChannelData(channel).slice(at, at + step));
        // A piece is known when its last word was spoken.
        const due = begun + ((at + channels[0].length) / RATE) * 1000;
        await pause(due - performance.now());
        if (isPlaying) add(channels);
      }
    } catch {
      progress.textContent = speak.dataset.unreadable;
    } finally {
      isPlaying = false;
      pressed(play, false);
    }
  });

  stop = () => {
    listening?.();
    listening = null;
    isPlaying = false;
    pressed(microphone, false);
  };
})();
