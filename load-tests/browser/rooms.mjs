// Uses the rooms for live calls and for practice as people do: speaks into a call with the microphone, plays a file into it,
// ends it, and holds a meeting in which the answers come sentence by sentence.

import { join } from "node:path";
import { writeFile } from "node:fs/promises";

import { opened } from "./browser.mjs";

const RATE = 16000;

export async function rooms(browser, { address, folder }) {
    const faults = [];
    for (const check of [watching, speaking, playing, practising]) {
        const { context, page, problems } = await opened(browser, address);
        page.setDefaultTimeout(60_000);
        try {
            await context.grantPermissions(["microphone"], { origin: address });
            await check(page, address, folder);
        } catch (error) {
            faults.push(`${check.name}: ${error.message}`);
        }
        faults.push(...problems.map((problem) => `${check.name}: ${problem}`));
        await context.close();
    }
    return faults;
}

// The words of the call that the demo plays come while somebody looks, without loading the page again.
async function watching(page, address) {
    await page.goto(`${address}/live`);
    // Between two calls of the demo there is a pause.
    await page.locator("section[aria-label='On now'] a[href^='/live/DEMO-LIVE']").first().click({ timeout: 200_000 });
    await page.evaluate(() => (window.isTheSamePage = true));
    const before = await page.locator("#words li").count();
    await page.waitForFunction((count) => document.querySelectorAll("#words li").length > count, before);
    await page.locator("#help h3").first().waitFor();
    if (!(await page.evaluate(() => window.isTheSamePage))) throw new Error("the page was loaded again");
}

// The microphone of this browser plays a tone.
async function speaking(page, address) {
    await begun(page, address, "browser-microphone");
    await page.click("#microphone");
    await page.waitForFunction(() => /\d/.test(document.getElementById("progress").textContent));
    await page.click("#microphone");
    await page.waitForFunction(() => /Pieces of audio\D*[1-9]/.test(document.getElementById("state").textContent));
    await ended(page);
}

async function playing(page, address, folder) {
    await begun(page, address, "browser-file");
    const file = join(folder, "spoken.wav");
    await writeFile(file, spoken(4));
    await page.setInputFiles("#played", file);
    await page.click("#play");
    await page.locator("#words li").first().waitFor();
    await ended(page);
}

async function practising(page, address) {
    await page.goto(`${address}/practice`);
    await page.locator("table a[href^='/practice/']").first().click();
    await page.getByText("What it was worth").waitFor();
    await page.locator("td a[href^='#t']").first().click();
    if (!/#t\d+$/.test(page.url())) throw new Error("a criterion leads to no turn");
    await page.goto(`${address}/practice`);
    await page.locator("input[name=representative]").first().check();
    await page.fill("input[name=meeting_goal]", "Agree on a pilot");
    await page.click("section[aria-labelledby=make] button");
    await page.click("form[action$='/start'] button");
    await page.fill("textarea[name=message]", "What slows your month-end down?");
    await page.click("#say button");
    // Two turns: what was said, and the answer.
    await page.waitForFunction(() => document.querySelectorAll("#turns li").length >= 2);
    await page.locator("#turns .why").first().waitFor();
    await page.click("form[action$='/end'] button");
    await page.getByText("What it was worth").waitFor();
}

async function begun(page, address, session) {
    await page.goto(`${address}/live`);
    await page.fill("input[name=session_id]", session);
    await page.click("form[action='/live'] button");
    await page.waitForURL(`${address}/live/${session}`);
}

async function ended(page) {
    await page.click("form[action$='/end'] button");
    await page.getByText("by a request").waitFor();
}

// Something like speech for so many seconds, and a second of silence. A pause ends what somebody says.
function spoken(seconds) {
    const samples = Int16Array.from({ length: (seconds + 1) * RATE }, (_, at) => {
        const time = at / RATE;
        if (time > seconds) return 0;
        const syllable = Math.sqrt(Math.max(0, Math.sin(2 * Math.PI * 4 * time)));
        let sum = 0;
        for (let overtone = 1; overtone < 16; overtone++) {
            const frequency = 130 * overtone;
            const near = (formant, width) => 1 / (1 + ((frequency - formant) / width) ** 2);
            const strength = near(550 + 200 * Math.sin(8 * time), 120) + 0.5 * near(1500 + 400 * Math.sin(5.6 * time), 180) + 0.02;
            sum += strength * Math.sin(2 * Math.PI * frequency * time);
        }
        return Math.max(-30000, Math.min(30000, 9000 * syllable * sum));
    });
    const head = Buffer.alloc(44);
    head.write("RIFF");
    head.writeUInt32LE(36 + samples.byteLength, 4);
    head.write("WAVEfmt ", 8);
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(1, 20);
    head.writeUInt16LE(1, 22);
    head.writeUInt32LE(RATE, 24);
    head.writeUInt32LE(RATE * 2, 28);
    head.writeUInt16LE(2, 32);
    head.writeUInt16LE(16, 34);
    head.write("data", 36);
    head.writeUInt32LE(samples.byteLength, 40);
    return Buffer.concat([head, Buffer.from(samples.buffer)]);
}
