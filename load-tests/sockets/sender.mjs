// Whoever sends a live call: an HTTP client that knows nothing of sockets.

import { readFile } from "node:fs/promises";

const AT_ONCE = 8;

export class Sender {
    constructor(address, key) {
        this.address = address;
        this.key = key;
    }

    async start(session) {
        await this.#post("start", JSON.stringify({ session_id: session, metadata: { agent_name: "Dana Ortiz" } }));
    }

    // Sends a piece of audio, whose bytes are in this file.
    async send(session, sequence, file) {
        await this.piece(session, sequence, await readFile(file));
    }

    async piece(session, sequence, bytes) {
        const form = new FormData();
        form.set("audio_file", new Blob([bytes]), "piece.wav");
        form.set("sequence", String(sequence));
        form.set("speaker", "customer");
        await this.#post(`${session}/audio`, form);
    }

    // Sends so many pieces that are all the same, several at once.
    async many(session, count, bytes) {
        let next = 0;
        const work = async () => {
            while (next < count) await this.piece(session, next++, bytes);
        };
        await Promise.all(Array.from({ length: AT_ONCE }, work));
    }

    async end(session) {
        await this.#post(`${session}/end`, "{}");
    }

    // All events of a session, as the API tells them, in the form in which a listener hears them.
    async events(session) {
        const all = [];
        for (;;) {
            const answer = await this.#ask(`${session}/events?after=${all.length}`);
            if (answer.events.length === 0) return all;
            all.push(...answer.events.map(({ seq, type, data }) => ({ name: type, data: { ...data, seq } })));
        }
    }

    #post(path, body) {
        const headers = typeof body === "string" ? { "Content-Type": "application/json" } : {};
        return this.#ask(path, { method: "POST", body, headers });
    }

    async #ask(path, options = {}) {
        const headers = { ...options.headers, Authorization: `Bearer ${this.key}` };
        const answer = await fetch(`${this.address}/api/calls/${path}`, { ...options, headers });
        if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
        return answer.json();
    }
}
