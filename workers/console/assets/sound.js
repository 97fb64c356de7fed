// What the page of a meeting plays and hears: the voices of the representatives, and the microphone.
const MeetingSound = (() => {
  "use strict";

  // Plays pieces of sound one behind the other, and knows how much of a turn was heard.
  class Player {
    // How long the first piece waits, so that the next one is there when it ends.
    static LEAD_SECONDS = 0.06;

    constructor() {
      this.context = null;
      this.isOn = true;
      this.sources = new Set();
      this.pieces = [];
      this.endsAt = 0;
    }

    // A browser gives a page sound only after somebody has pressed something in it.
    open() {
      if (!this.isOn) return;
      this.context ??= new AudioContext();
      if (this.context.state === "suspended") this.context.resume();
    }

    get isPlaying() {
      return this.sources.size > 0;
    }

    // What was played is counted from here on.
    beginTurn() {
      this.pieces = [];
    }

    // Plays a WAV file, given in base64, behind what is still to be played.
    add(base64) {
      if (!this.isOn) return;
      this.open();
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const count = (bytes.length - 44) >> 1;
      if (count < 1) return;
      const view = new DataView(bytes.buffer);
      const buffer = this.context.createBuffer(1, count, view.getUint32(24, true));
      const samples = buffer.getChannelData(0);
      for (let at = 0; at < count; at++) samples[at] = view.getInt16(44 + at * 2, true) / 32768;
      const source = this.context.createBufferSource();
      source.buffer = buffer;
      source.connect(this.context.destination);
      source.onended = () => this.sources.delete(source);
      const now = this.context.currentTime;
      const at = this.endsAt > now ? this.endsAt : now + Player.LEAD_SECONDS;
      source.start(at);
      this.sources.add(source);
      this.pieces.push({ at, seconds: buffer.duration });
      this.endsAt = at + buffer.duration;
    }

    // How much of the turn was heard. `undefined` where the page does not play it.
    get playedMs() {
      if (!this.isOn || this.context === null) return undefined;
      const now = this.context.currentTime - (this.context.outputLatency || 0);
      const seconds = this.pieces.reduce((sum, piece) => sum + Math.min(Math.max(now - piece.at, 0), piece.seconds), 0);
      return Math.round(seconds * 1000);
    }

    stop() {
      for (const source of this.sources) source.stop();
      this.sources.clear();
      this.endsAt = 0;
    }

    turn(isOn) {
      this.isOn = isOn;
      if (!isOn) this.stop();
    }
  }

  // Hears when somebody begins and ends to speak, and gives what is said as 16-bit samples.
  class Microphone {
    static RATE = 16000;
    // 32 milliseconds.
    static SAMPLES = 512;
    // How many blocks in a row are loud before it counts as speech, and how many are quiet before it is over.
    static BEGINS_AFTER = 3;
    static ENDS_AFTER = 25;
    // What was said before it counted as speech belongs to it.
    static BEFORE = 12;
    // Whoever is never quiet is taken for a noise.
    static LONGEST = 1900;
    static QUIETEST = 0.01;
    static LOUDER_THAN_NOISE = 3;

    // `told` has the functions `begun`, `piece` and `ended`.
    constructor(worklet, told) {
      this.worklet = worklet;
      this.told = told;
      this.noise = 0.003;
      this.isSpeaking = false;
      this.loud = 0;
      this.quiet = 0;
      this.length = 0;
      this.before = [];
      this.close = () => {};
    }

    async open() {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } });
      const context = new AudioContext({ sampleRate: Microphone.RATE });
      this.close = () => {
        for (const track of stream.getTracks()) track.stop();
        context.close();
        if (this.isSpeaking) this.end();
        this.close = () => {};
      };
      try {
        await context.audioWorklet.addModule(this.worklet);
      } catch (problem) {
        this.close();
        throw problem;
      }
      const processorOptions = { samples: Microphone.SAMPLES };
      const blocks = new AudioWorkletNode(context, "blocks", { numberOfOutputs: 0, processorOptions });
      blocks.port.onmessage = ({ data }) => this.hear(data);
      context.createMediaStreamSource(stream).connect(blocks);
    }

    hear(block) {
      const level = Math.sqrt(block.reduce((sum, sample) => sum + sample * sample, 0) / block.length);
      const isLoud = level > Math.max(Microphone.QUIETEST, this.noise * Microphone.LOUDER_THAN_NOISE);
      const samples = Int16Array.from(block, (sample) => Math.round(Math.max(-1, Math.min(1, sample)) * 32767));
      if (!this.isSpeaking) {
        this.noise += (level - this.noise) * (level < this.noise ? 0.2 : 0.02);
        this.before.push(samples);
        if (this.before.length > Microphone.BEFORE) this.before.shift();
        this.loud = isLoud ? this.loud + 1 : 0;
        if (this.loud >= Microphone.BEGINS_AFTER) this.begin();
        return;
      }
      this.told.piece(samples);
      this.length += 1;
      this.quiet = isLoud ? 0 : this.quiet + 1;
      if (this.length > Microphone.LONGEST) this.noise = level;
      if (this.quiet >= Microphone.ENDS_AFTER || this.length > Microphone.LONGEST) this.end();
    }

    begin() {
      this.isSpeaking = true;
      this.quiet = 0;
      this.length = 0;
      this.told.begun();
      for (const samples of this.before.splice(0)) this.told.piece(samples);
    }

    end() {
      this.isSpeaking = false;
      this.loud = 0;
      this.told.ended();
    }
  }

  return { Player, Microphone };
})();
