// Uses the rooms for live calls and for practice as people do: speaks into a call with the microphone, plays a file into it,
// ends it, and holds meetings in which the answers come sentence by sentence, and in which one speaks and hears.

import { join } from "node:path";
import { writeFile } from "node:fs/promises";

import { opened, SIZES } from "./browser.mjs";
import { faultsOfLook } from "./pages.mjs";
import { spoken } from "./spoken.mjs";

export async function rooms(browser, { address, folder }) {
    const faults = [];
    for (const check of [watching, speaking, playing, practising, practisingAloud, deleting]) {
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
    const file = join(folder, "played.wav");
    await writeFile(file, spoken(4, 1));
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

// Answers are heard and can be heard again, the sound can be turned off, and what is spoken is understood and answered. Whoever
// speaks again interrupts: in the microphone of this browser somebody speaks again and again.
async function practisingAloud(page, address) {
    await counting(page);
    await page.goto(`${address}/practice`);
    await page.locator("input[name=representative]").first().check();
    await page.fill("input[name=meeting_goal]", "Agree on a pilot");
    await page.click("section[aria-labelledby=make] button");
    await page.click("form[action$='/start'] button");
    const say = async (words) => {
        await page.fill("textarea[name=message]", words);
        await page.click("#say button");
    };
    const turns = (count) => page.waitForFunction((count) => document.querySelectorAll("#turns li").length >= count, count);
    await say("What slows your month-end down?");
    await turns(2);
    await page.waitForFunction(() => window.soundsBegun > 0);
    if ((await page.locator("#turns audio").count()) === 0) throw new Error("the answer cannot be heard again");
    // The choice is kept in the page.
    await page.click("#sound");
    await page.reload();
    if ((await page.getAttribute("#sound", "aria-pressed")) !== "false") throw new Error("the sound is on again");
    await say("And what does it cost you?");
    await turns(4);
    if (await page.evaluate(() => window.soundsBegun > 0)) throw new Error("sound is heard that was turned off");
    await page.click("#sound");
    await page.click("#microphone");
    await turns(6);
    await page.waitForFunction(() => window.soundsBegun > 0);
    await page.locator("#turns .badge", { hasText: "cut off" }).first().waitFor();
    for (const size of Object.values(SIZES)) {
        await page.setViewportSize(size);
        const faults = await faultsOfLook(page);
        if (faults.length > 0) throw new Error(`the meeting, ${size.width} pixels wide, ${faults.join("; ")}`);
    }
    await page.click("#microphone");
    await page.getByRole("button", { name: "Speak", exact: true }).waitFor();
    await page.click("form[action$='/end'] button");
    await page.getByText("What it was worth").waitFor();
}

// Counts the sounds that a page begins to play. Nobody can hear this browser.
async function counting(page) {
    await page.addInitScript(() => {
        window.soundsBegun = 0;
        const { start } = AudioBufferSourceNode.prototype;
        AudioBufferSourceNode.prototype.start = function (...when) {
            window.soundsBegun += 1;
            return start.apply(this, when);
        };
    });
}

async function deleting(page, address) {
    await page.goto(`${address}/practice`);
    const meetings = page.locator("table a[href^='/practice/']");
    const before = await meetings.count();
    await meetings.first().click();
    await page.click("section[aria-labelledby=delete] summary");
    await page.getByText("The call that it became stays.").waitFor();
    await page.click("form[action$='/delete'] button");
    await page.waitForURL(`${address}/practice`);
    if ((await meetings.count()) !== before - 1) throw new Error("the meeting is still in the list");
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
