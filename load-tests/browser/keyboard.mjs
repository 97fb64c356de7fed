// Walks through the console with the keyboard alone, as somebody does who uses no mouse. Every step looks whether the focus
// can be seen.

import { opened } from "./browser.mjs";

// More than any page has places to go to.
const MOST_TABS = 250;

export async function keyboard(browser, address) {
    const { context, page, problems, go } = await opened(browser, address);
    const hands = new Hands(page);
    for (const step of STEPS) await step({ page, hands, go, address });
    await context.close();
    return [...problems, ...hands.faults];
}

// What somebody can do who has a keyboard.
class Hands {
    constructor(page) {
        this.page = page;
        this.faults = [];
    }

    // Presses Tab until the focus is on an element of this kind whose name holds `name`.
    async goTo(kind, name) {
        for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
            await this.page.keyboard.press("Tab");
            const focused = await this.page.evaluate(describeFocus);
            if (!focused.isSeen) this.faults.push(`${this.page.url()}: the focus on "${focused.name}" cannot be seen`);
            if (focused.kind === kind && focused.name.includes(name)) return;
        }
        throw new Error(`${this.page.url()}: the keyboard does not reach the ${kind} "${name}"`);
    }

    // Follows a link, or presses a button that leads to another page.
    async follow(kind, name) {
        await this.goTo(kind, name);
        await this.leave("Enter");
    }

    async leave(key) {
        const left = this.page.waitForEvent("load");
        await this.page.keyboard.press(key);
        await left;
    }

    async type(name, text) {
        await this.goTo("field", name);
        await this.page.keyboard.type(text);
    }

    // What the page has to say now.
    async sees(text) {
        await this.page.getByText(text, { exact: false }).first().waitFor();
    }
}

// The element that has the focus: its kind, its name as a screen reader says it, and whether one sees that it has the focus.
function describeFocus() {
    const one = document.activeElement ?? document.body;
    const labels = [...(one.labels ?? [])].map((label) => label.innerText).join(" ");
    const named = one.getAttribute("aria-label") ?? (labels || one.innerText || one.value || one.name || one.localName);
    const kinds = { A: "link", BUTTON: "button", SUMMARY: "button", INPUT: "field", SELECT: "field", TEXTAREA: "field" };
    const look = getComputedStyle(one);
    const place = one.getBoundingClientRect();
    const hasOutline = look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0;
    const isInside = place.bottom > 0 && place.top < innerHeight && place.right > 0 && place.left < innerWidth;
    return {
        kind: kinds[one.tagName] ?? "other",
        name: named.replace(/\s+/g, " ").trim(),
        isSeen: one === document.body || (hasOutline && isInside),
    };
}

async function skipTheNavigation({ page, hands, go }) {
    await go("/dead-letters");
    await hands.goTo("link", "Skip to the content");
    await page.keyboard.press("Enter");
    const place = await page.evaluate(() => document.activeElement.id);
    if (place !== "content") hands.faults.push("the first link does not lead past the navigation");
}

async function replayDeadLetters({ hands, go }) {
    await go("/");
    await hands.follow("link", "Dead letters");
    await hands.follow("link", "Do all that match again");
    await hands.sees("would be done again: 1.");
    await hands.type("Reason", "the keyboard walk does it again");
    await hands.follow("button", "Do them again");
    await hands.sees("Letters that are being done again: 1 of 1");
}

// The first administrator is made, and signs in as everybody does from then on.
async function signIn({ page, hands, go }) {
    const [login, password] = ["keyboard@example.com", "Walking4without"];
    await go("/register");
    await hands.type("E-mail address", login);
    await hands.type("Password", password);
    await hands.follow("button", "Make your account");
    await hands.follow("button", "Sign out");
    await hands.type("E-mail address", login);
    await hands.type("Password", password);
    await hands.follow("button", "Sign in");
    await page.waitForURL((url) => url.pathname === "/");
}

async function findACall({ page, hands, go }) {
    await go("/");
    await hands.type("Search calls", "delivery");
    await hands.leave("Enter");
    await hands.follow("link", ":");
    if (!new URL(page.url()).pathname.startsWith("/calls/")) throw new Error(`the search leads to ${page.url()}`);
    await hands.type("Find in the transcript", "delivery");
    await hands.leave("Enter");
    await page.locator("mark").first().waitFor();
}

async function correctASpeaker({ page, hands }) {
    const name = "Keyboard Walker";
    await hands.goTo("field", "Name");
    await page.keyboard.press("Control+A");
    await page.keyboard.type(name);
    await hands.follow("button", "Save");
    await page.locator(".lines .who", { hasText: name }).first().waitFor();
}

async function correctALine({ page, hands }) {
    const words = "These are the words of the keyboard.";
    await hands.follow("link", "Correct line 1");
    await hands.goTo("field", "Words");
    await page.keyboard.press("Control+A");
    await page.keyboard.type(words);
    await hands.follow("button", "Save");
    await hands.sees(words);
}

async function makeAndRevokeAKey({ page, hands, go }) {
    await go("/keys");
    await hands.type("Name", "keyboard");
    await hands.goTo("field", "read");
    await page.keyboard.press("Space");
    await hands.follow("button", "Make a key");
    await page.locator("code", { hasText: /^debrief_/ }).waitFor();
    await hands.follow("button", "Revoke keyboard");
    await hands.sees("revoked");
}

const STEPS = [
    skipTheNavigation,
    replayDeadLetters,
    signIn,
    findACall,
    correctASpeaker,
    correctALine,
    makeAndRevokeAKey,
];
