// Runs the demo with its sample calls and simulated providers, for as long as a check needs it.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const READY_WITHIN_MS = 180_000;
// The demo prints this when all sample calls have ended.
const INVITATION = "Open in a browser:";

// Starts `debrief demo` and gives its address to `use`. The process ends with it.
export async function running(binary, use) {
    const folder = await mkdtemp(join(tmpdir(), "debrief-browser-"));
    const port = await freePort();
    // Nothing of the surroundings may configure the process. What it makes stands in a folder that is removed.
    const environment = { PATH: process.env.PATH, TMPDIR: folder, PORT: String(port) };
    const demo = spawn(binary, ["demo"], { env: environment, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    const ended = new Promise((resolve) => demo.once("exit", (code, signal) => resolve(code ?? signal)));
    try {
        await ready(demo, ended, (text) => (said += text), () => said);
        await use({ address: `http://127.0.0.1:${port}`, folder });
        if (demo.exitCode !== null) throw new Error(`the demo ended with ${await ended}:\n${tail(said)}`);
        if (said.includes("panicked")) throw new Error(`the demo panicked:\n${tail(said)}`);
    } finally {
        demo.kill("SIGTERM");
        const patience = setTimeout(() => demo.kill("SIGKILL"), 30_000);
        await ended;
        clearTimeout(patience);
        await rm(folder, { recursive: true, force: true });
    }
}

async function ready(demo, ended, note, said) {
    let patience;
    const invited = new Promise((resolve) => {
        const look = (bytes) => {
            note(bytes.toString());
            if (said().includes(INVITATION)) resolve("invited");
        };
        demo.stdout.on("data", look);
        demo.stderr.on("data", look);
    });
    const late = new Promise((resolve) => (patience = setTimeout(resolve, READY_WITHIN_MS, "late")));
    const first = await Promise.race([invited, ended, late]);
    clearTimeout(patience);
    if (first !== "invited") throw new Error(`the demo did not get ready (${first}):\n${tail(said())}`);
}

async function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer();
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

function tail(text) {
    return text.split("\n").slice(-40).join("\n");
}
