// A listener to live calls: a socket of `socket.io-client` that notes everything it hears.

import { io } from "socket.io-client";

const PATIENCE_MS = 30_000;

export class Listener {
    // Opens a connection. After every connection it joins the sessions again, behind the last number that it has.
    constructor(address, token, transports) {
        this.heard = [];
        this.joined = new Map();
        this.waiting = new Set();
        this.socket = io(address, { auth: { token }, transports, forceNew: true, reconnectionDelay: 100 });
        this.socket.onAny((name, data) => this.#note(name, data));
        this.socket.on("connect", () => {
            for (const session of this.joined.keys()) this.#join(session);
            this.#look();
        });
        this.socket.on("connect_error", (error) => {
            this.refusal = error.message;
            this.#look();
        });
        this.socket.on("disconnect", (reason) => {
            this.left = reason;
            this.#look();
        });
    }

    static async connected(address, token, transports) {
        const listener = new Listener(address, token, transports);
        await listener.hears("connection_status");
        return listener;
    }

    // Joins a session behind this number.
    async join(session, after) {
        this.joined.set(session, after);
        this.#join(session);
        return this.hears("joined_session", (data) => data.session_id === session);
    }

    #join(session) {
        const after = this.of(session).at(-1)?.data.seq ?? this.joined.get(session);
        this.socket.emit("join_call_session", { session_id: session, after });
    }

    async leave(session) {
        this.joined.delete(session);
        this.socket.emit("leave_call_session", { session_id: session });
        await this.hears("left_session", (data) => data.session_id === session);
    }

    async status(session) {
        const before = this.heard.length;
        this.socket.emit("request_session_status", { session_id: session });
        return this.hears("session_status", (data) => data.session_id === session, before);
    }

    // The events of a session, in the order in which they came.
    of(session) {
        return this.heard.filter(({ data }) => data.seq !== undefined && data.session_id === session);
    }

    // Waits for an event of this name for which the condition holds, and returns its data.
    hears(name, condition = () => true, from = 0) {
        const found = () => this.heard.slice(from).find((event) => event.name === name && condition(event.data));
        return this.until(`the event ${name}`, found).then((event) => event.data);
    }

    // Waits until the condition holds, and returns what it found.
    until(what, condition) {
        return new Promise((resolve, reject) => {
            const look = () => {
                const found = condition();
                if (!found) return;
                clearTimeout(patience);
                this.waiting.delete(look);
                resolve(found);
            };
            const patience = setTimeout(() => {
                this.waiting.delete(look);
                const state = this.socket.connected ? "connected" : `not connected (${this.refusal ?? this.left})`;
                const last = JSON.stringify(this.heard.slice(-3));
                const heard = `it heard ${this.heard.length} events, and at last ${last}`;
                reject(new Error(`waited in vain for ${what}; the client is ${state}; ${heard}`));
            }, PATIENCE_MS);
            this.waiting.add(look);
            look();
        });
    }

    #note(name, data) {
        this.heard.push({ name, data });
        this.#look();
    }

    #look() {
        for (const look of [...this.waiting]) look();
    }

    close() {
        this.socket.disconnect();
    }
}
