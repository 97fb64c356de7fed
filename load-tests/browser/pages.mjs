// Walks every page, at two sizes, in the light and in the dark, with scripts and without.
//
// The walk begins with the pages that must exist and goes on with every link that it finds. Of pages that differ only in
// an id, the first two are looked at, and of pages that differ only in what they are asked for, the first one.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { opened, SIZES } from "./browser.mjs";
import { faultsOfHtml } from "./html.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const OF_ONE_KIND = { withoutQuery: 2, withQuery: 1 };
// Pages of other people's making, files, and links that change something.
const NOT_OURS = /^\/(docs|openapi\.json|metrics|health|ready|logout|api\/|static\/)/;

export async function pages(browser, address, folder, { must, signIn }) {
    const faults = [];
    const paths = await found(browser, address, must, signIn, faults);
    let visits = 0;
    // A fault is told once, with the looks that show it.
    const seenIn = new Map();
    for (const size of Object.keys(SIZES)) {
        for (const scheme of ["light", "dark"]) {
            for (const scripts of [true, false]) {
                const look = { size, scheme, scripts };
                const name = `${size}, ${scheme}, ${scripts ? "with" : "without"} scripts`;
                const { context, page, problems, go } = await opened(browser, address, look);
                await signIn(page);
                for (const path of paths) {
                    problems.length = 0;
                    const wrong = await visit(page, await go(path));
                    visits += 1;
                    for (const fault of [...problems, ...wrong]) {
                        const told = `${path}: ${fault}`;
                        seenIn.set(told, [...(seenIn.get(told) ?? []), name]);
                    }
                    if (scripts || size === "desktop") await photograph(page, folder, path, look);
                }
                await context.close();
            }
        }
    }
    console.log(`looked at ${paths.length} pages, ${visits} visits: ${paths.join(" ")}`);
    for (const [fault, looks] of seenIn) faults.push(`${fault} (${looks.join("; ")})`);
    return faults;
}

// The paths of all pages, and what is wrong with their HTML.
async function found(browser, address, must, signIn, faults) {
    const { context, page, problems, go } = await opened(browser, address);
    await signIn(page);
    const paths = [];
    const queue = [...must];
    const seen = new Set(queue);
    const kinds = new Map();
    while (queue.length > 0) {
        const path = queue.shift();
        const kind = kindOf(path);
        const known = kinds.get(kind) ?? 0;
        if (known >= (kind.includes("?") ? OF_ONE_KIND.withQuery : OF_ONE_KIND.withoutQuery)) continue;
        problems.length = 0;
        const answer = await go(path);
        const type = answer.headers()["content-type"] ?? "";
        if (answer.status() !== 200) faults.push(`${path}: answers ${answer.status()}`);
        if (!type.startsWith("text/html")) continue;
        kinds.set(kind, known + 1);
        paths.push(path);
        const html = await answer.text();
        faults.push(...(await faultsOfHtml(html)).map((fault) => `${path}: ${fault}`));
        faults.push(...faultsOfHeaders(answer.headers()).map((fault) => `${path}: ${fault}`));
        for (const link of await page.locator("a[href]").evaluateAll(addresses)) {
            const url = new URL(link);
            const next = url.pathname + url.search;
            const isPage = url.origin === address && !NOT_OURS.test(next) && !/\.[a-z0-9]+$/.test(url.pathname);
            if (isPage && !seen.has(next)) {
                seen.add(next);
                queue.push(next);
            }
        }
    }
    await context.close();
    return paths;
}

// The addresses of links. Those in a picture (SVG) keep theirs in another way than those in a text.
function addresses(links) {
    return links.map((link) => new URL(link.getAttribute("href"), document.baseURI).href);
}

// Pages of one kind differ only in ids, and in what their queries say.
function kindOf(path) {
    const url = new URL(path, "http://here");
    const names = [...url.searchParams.keys()].sort().join("&");
    return url.pathname.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "ID") + (names ? `?${names}` : "");
}

function faultsOfHeaders(headers) {
    const faults = [];
    const policy = headers["content-security-policy"] ?? "";
    if (!policy.includes("default-src")) faults.push("has no content security policy");
    if (/unsafe-inline|unsafe-eval|\*/.test(policy)) faults.push(`has an open content security policy: ${policy}`);
    if (!/frame-ancestors 'none'/.test(policy)) faults.push("can be framed by other pages");
    if (!/no-store/.test(headers["cache-control"] ?? "")) faults.push("may be kept in a cache");
    return faults;
}

async function visit(page, answer) {
    const faults = await faultsOfLook(page);
    return answer.status() === 200 ? faults : [`answers ${answer.status()}`, ...faults];
}

// What is wrong with a page as it stands: it is wider than the screen, or somebody cannot use it.
export async function faultsOfLook(page) {
    const faults = [];
    const wide = await page.evaluate(() => {
        const root = document.scrollingElement;
        const over = [...document.body.querySelectorAll("*")].filter(
            (one) => one.getBoundingClientRect().right > root.clientWidth + 1,
        );
        const named = over.slice(0, 3).map((one) => `${one.localName}.${one.className}`);
        return root.scrollWidth > root.clientWidth ? [root.scrollWidth, root.clientWidth, named.join(" ")] : null;
    });
    if (wide) faults.push(`is ${wide[0]} pixels wide where ${wide[1]} are there: ${wide[2]}`);
    await page.evaluate(AXE);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, help, nodes } of found.violations) {
        const where = nodes.slice(0, 2).map((node) => `${node.target.join(" ")}: ${node.any[0]?.message ?? node.html}`);
        faults.push(`axe: ${id}: ${help} (${nodes.length} times; ${where.join("; ")})`);
    }
    return faults;
}

async function photograph(page, folder, path, { size, scheme, scripts }) {
    const named = path.replace(/[^a-zA-Z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "home";
    const file = `${named}.${size}.${scheme}${scripts ? "" : ".without-scripts"}.png`;
    await page.screenshot({ path: join(folder, file), fullPage: true });
}
