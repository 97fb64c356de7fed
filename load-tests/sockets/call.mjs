// A live call, heard by several clients of `socket.io-client`. It ends with an exit code other than 0 at the first fault.
//
// The argument is JSON. The listeners are connected to the address `listen`, and the audio goes to the address `send`.
// `key` is a key that may do everything, `sounds` are files with the pieces of the call, `silence` is a file with a very
// short piece, and `transports` is the option of the client.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";

import { Listener } from "./listener.mjs";
import { Sender } from "./sender.mjs";

const { listen, send, key, sounds, silence, transports } = JSON.parse(process.argv[2]);
const MANY = 30;
// More events than may wait for a socket, so that the server has to wait for the client. The session is the same for all
// transports.
const LONG = 700;
const BUSY_MS = 500;
const sender = new Sender(send, key);
const listeners = [];

async function listener(address = listen) {
    const made = await Listener.connected(address, key, transports);
    listeners.push(made);
    return made;
}

async function refused(token) {
    const stranger = new Listener(listen, token, transports);
    listeners.push(stranger);
    await stranger.until("the refusal", () => stranger.refusal);
    match(stranger.refusal, /key/);
    ok(!stranger.socket.connected, "a stranger is connected");
}

async function nobodyListensWithoutAKey() {
    await refused(undefined);
    await refused("wrong");
}

async function everyListenerHearsEachEventOnce() {
    const session = `session-${randomUUID()}`;
    await sender.start(session);
    const early = await listener();
    const joined = await early.join(session, 0);
    strictEqual(joined.session_id, session);
    for (let nth = 0; nth < MANY; nth += 1) {
        early.socket.emit("join_call_session", { session_id: session, after: 0 });
    }
    await isUpgraded(early);

    const lost = await listener();
    lost.socket.emit("join_call_session", { session_id: `nobody-${session}` });
    match((await lost.hears("error")).message, /there is no session/);

    const [leaver, away, cut] = [await listener(), await listener(), await listener()];
    await Promise.all([leaver, away, cut].map((one) => one.join(session, 0)));
    await sender.send(session, 0, sounds[0]);
    const words = await early.hears("transcript_update", (data) => data.is_final);
    strictEqual(words.speaker, "customer");
    ok(words.text.length > 0, "a turn has words");
    const advice = await early.hears("real_time_insights", (data) => data.source === "rules");
    strictEqual(advice.urgency_level, "high");
    const status = await early.status(session);
    deepStrictEqual([status.status, status.dialog_turns_count], ["active", 1]);

    await Promise.all([leaver, away].map((one) => one.hears("transcript_update")));
    await leaver.leave(session);
    const heardBefore = leaver.of(session).length;
    away.socket.disconnect();
    // The connection breaks, and the client comes back by itself.
    cut.socket.io.engine.close();
    await sender.send(session, 1, sounds[1]);
    const turns = () => early.of(session).filter(({ name }) => name === "transcript_update");
    await early.until("the second turn", () => turns().length >= 2);
    away.socket.connect();
    const later = await listener();
    await later.join(session, 2);
    // Somebody comes back through another process than before.
    const elsewhere = await listener(send);
    const known = early.of(session).at(-1).data.seq;
    await elsewhere.join(session, known);

    await sender.send(session, 2, sounds[2]);
    await sender.end(session);
    const isOver = ({ status }) => status === "completed";
    await early.hears("call_status", isOver);
    const told = await sender.events(session);
    ok(told.some(({ name, data }) => name === "summary_update" && data.is_final), "there is a last summary");
    ok(told.some(({ name }) => name === "audio_processing_status"), "the work on the audio is told");
    deepStrictEqual(told.map(({ data }) => data.seq), told.map((_, nth) => nth + 1));
    for (const [one, after] of [[early, 0], [away, 0], [cut, 0], [later, 2], [elsewhere, known]]) {
        await one.until("the last event", () => one.of(session).at(-1)?.data.seq >= told.length);
        deepStrictEqual(one.of(session), told.slice(after));
    }
    strictEqual(cut.left, "forced close");
    strictEqual(leaver.of(session).length, heardBefore, "whoever left hears nothing more");
    strictEqual(early.heard.filter(({ name }) => name === "joined_session").length, 1 + MANY);
    strictEqual((await early.status(session)).status, "completed");
}

// A client that may upgrade its connection does it.
async function isUpgraded(one) {
    const transport = () => one.socket.io.engine.transport.name;
    const last = transports.at(-1);
    for (let tries = 0; transport() !== last; tries += 1) {
        ok(tries < 500, `the transport is ${transport()}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

async function whoeverComesLateToALongCallHearsAllOfIt() {
    const session = "long";
    await sender.start(session);
    const isThere = (await sender.events(session)).length >= LONG;
    if (!isThere) await sender.many(session, LONG, await readFile(silence));
    const late = await listener();
    // The client is busy for longer than the server takes to fill what may wait for it.
    late.socket.once("joined_session", () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS));
    await late.join(session, 0);
    const told = await sender.events(session);
    ok(told.length >= LONG, `the session has only ${told.length} events`);
    await late.until("all events", () => late.of(session).length >= told.length);
    deepStrictEqual(late.of(session).slice(0, told.length), told);
}

for (const check of [
    nobodyListensWithoutAKey,
    everyListenerHearsEachEventOnce,
    whoeverComesLateToALongCallHearsAllOfIt,
]) {
    try {
        await check();
    } catch (error) {
        console.error(`${check.name}: ${error.stack}`);
        process.exitCode = 1;
        break;
    }
}
for (const one of listeners) one.close();
