// Starts Chromium, and opens pages in it that note everything a page does wrong while it loads.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { spoken } from "./spoken.mjs";

const FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // A microphone that needs no click on a question of the browser. What it hears is a file.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
];

export const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

// The browser gets a new profile, which is removed when it is closed. In its microphone somebody speaks for two seconds, again
// and again.
export async function started(use) {
    const folder = await mkdtemp(join(tmpdir(), "debrief-microphone-"));
    const heard = join(folder, "heard.wav");
    await writeFile(heard, spoken(2, 4));
    const args = [...FLAGS, `--use-file-for-fake-audio-capture=${heard}`];
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
    try {
        await use(browser);
    } finally {
        await browser.close();
        await rm(folder, { recursive: true, force: true });
    }
}

// A page with its own cookies. `problems` of what it returns holds what went wrong since it was last emptied, and `go` opens
// a path.
export async function opened(browser, address, { size = "desktop", scheme = "light", scripts = true } = {}) {
    const context = await browser.newContext({
        viewport: SIZES[size],
        isMobile: size === "phone",
        hasTouch: size === "phone",
        colorScheme: scheme,
        reducedMotion: "reduce",
        locale: "en-GB",
        timezoneId: "UTC",
    });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const problems = [];
    // Chromium reports everything that the content security policy stops as an error on the console.
    page.on("console", (message) => {
        if (message.type() === "error") problems.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => problems.push(`script: ${error.message}`));
    context.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(`${address}/`) && !/^(data|blob|about):/.test(url)) {
            problems.push(`a request to another origin: ${url}`);
        }
    });
    // Scripts are off only while a page loads. Whoever looks at the page afterwards needs a script to do so.
    const session = scripts ? null : await context.newCDPSession(page);
    const go = async (path) => {
        await session?.send("Emulation.setScriptExecutionDisabled", { value: true });
        const answer = await page.goto(address + path);
        await session?.send("Emulation.setScriptExecutionDisabled", { value: false });
        return answer;
    };
    return { context, page, problems, go };
}
