// Checks the HTML that the server sends, before a script changes it.

import { HtmlValidate } from "html-validate";

const validator = new HtmlValidate({
    extends: ["html-validate:recommended", "html-validate:document"],
    rules: {
        // How tags and attributes are written is the templates' own affair. These rules find no fault of a page.
        "attr-quotes": "off",
        "doctype-style": "off",
        "no-trailing-whitespace": "off",
        "void-style": "off",
        // What comes from this process itself needs no digest.
        "require-sri": ["error", { target: "crossorigin" }],
        "long-title": "off",
        // The boxes of one list share a name.
        "form-dup-name": ["error", { shared: ["radio", "button", "reset", "submit", "checkbox"] }],
        // A text that was transcribed may hold any character that HTML allows.
        "tel-non-breaking": "off",
    },
});

export async function faultsOfHtml(html) {
    const report = await validator.validateString(html);
    return report.results.flatMap((result) =>
        result.messages.map(
            ({ line, column, ruleId, message }) => `html: ${line}:${column} ${ruleId}: ${message}`,
        ),
    );
}
