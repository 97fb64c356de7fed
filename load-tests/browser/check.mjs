// Runs the checks of the pages against one running demo.
//
// Arguments: the program `debrief`, the folder for screenshots, and the names of the checks, or none for all. Every check
// runs, also after one that failed. The exit code is 1 when one of them failed.

import { started } from "./browser.mjs";
import { running } from "./deployment.mjs";
import { keyboard } from "./keyboard.mjs";
import { pages } from "./pages.mjs";
import { rooms } from "./rooms.mjs";
import { speed } from "./speed.mjs";

const [binary, folder, ...wanted] = process.argv.slice(2);
// Every other page is found by its links.
const MUST = ["/", "/calls", "/search?q=delivery", "/analytics", "/users", "/keys", "/audit", "/login", "/register", "/queues", "/dead-letters", "/effects", "/providers", "/deployment", "/settings", "/live", "/practice", "/practice/setup"];
const FIRST_PAGES = ["/"];
const nobody = async () => {};

const CHECKS = {
    // This one is the first, because the call that the demo plays begins with it.
    rooms: (browser, deployment) => rooms(browser, deployment),
    pages: (browser, { address }) => pages(browser, address, folder, { must: MUST, signIn: nobody }),
    speed: (browser, { address }) => speed(browser, address, FIRST_PAGES, nobody),
    // This one is the last, because from then on everybody has to sign in.
    keyboard: (browser, { address }) => keyboard(browser, address),
};

const unknown = wanted.filter((name) => !(name in CHECKS));
if (unknown.length > 0) {
    console.error(`there is no check named ${unknown.join(", ")}; there are ${Object.keys(CHECKS).join(", ")}`);
    process.exit(2);
}
const failed = [];
await running(binary, (deployment) =>
    started(async (browser) => {
        for (const [name, check] of Object.entries(CHECKS)) {
            if (wanted.length > 0 && !wanted.includes(name)) continue;
            const begun = Date.now();
            let faults;
            try {
                faults = await check(browser, deployment);
            } catch (error) {
                faults = [error.stack];
            }
            for (const fault of faults) console.log(`browser: ${name}: ${fault}`);
            const seconds = Math.round((Date.now() - begun) / 1000);
            console.log(`browser: ${name}: ${faults.length === 0 ? "ok" : "FAILED"} in ${seconds} s`);
            if (faults.length > 0) failed.push(name);
        }
    }),
);
if (failed.length > 0) {
    console.log(`browser: failed: ${failed.join(", ")}`);
    process.exitCode = 1;
} else {
    console.log("browser: all checks passed");
}
