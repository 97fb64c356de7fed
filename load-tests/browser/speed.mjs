// Loads pages on a slow line: 1.6 Mbit/s, and 150 ms for each question. Each page is loaded by a browser that knows nothing.

import { opened } from "./browser.mjs";

const LINE = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 100_000 };
const MAX_BYTES = 100_000;
const MAX_MS = 1000;
// The machine may be busy with something else, so the fastest of these counts.
const TRIES = 3;

export async function speed(browser, address, paths, signIn) {
    const faults = [];
    for (const path of paths) {
        let fastest = null;
        for (let tries = 0; tries < TRIES; tries += 1) {
            const loaded = await load(browser, address, path, signIn);
            if (!fastest || loaded.ms < fastest.ms) fastest = loaded;
        }
        const { ms, bytes, requests } = fastest;
        console.log(`${path}: ${bytes} bytes in ${requests} requests, ${ms} ms on a slow line`);
        if (bytes >= MAX_BYTES) faults.push(`${path}: ${bytes} bytes, and ${MAX_BYTES} are too many`);
        if (ms >= MAX_MS) faults.push(`${path}: loaded after ${ms} ms, and ${MAX_MS} ms are too long`);
    }
    return faults;
}

async function load(browser, address, path, signIn) {
    const { context, page } = await opened(browser, address);
    await signIn(page);
    const session = await context.newCDPSession(page);
    let bytes = 0;
    let requests = 0;
    session.on("Network.requestWillBeSent", () => (requests += 1));
    session.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
    await session.send("Network.enable");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    await session.send("Network.emulateNetworkConditions", LINE);
    await page.goto(address + path, { waitUntil: "load" });
    const ms = await page.evaluate(async () => {
        const [navigation] = performance.getEntriesByType("navigation");
        while (navigation.loadEventEnd === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        return Math.round(navigation.loadEventEnd - navigation.startTime);
    });
    await context.close();
    return { ms, bytes, requests };
}
