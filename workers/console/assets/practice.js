// The page of a meeting works without this script. With it, the answer comes sentence by sentence.
(() => {
  "use strict";

  const form = document.getElementById("say");
  if (form === null) return;
  const coming = document.getElementById("coming");
  const message = form.elements.message;
  const button = form.querySelector("button");
  const csrf = document.querySelector("meta[name=csrf]").content;

  const name = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  // A line of somebody who speaks. It is text, whatever stands in it.
  const line = (who) => {
    const item = document.createElement("li");
    const speaker = document.createElement("strong");
    const words = document.createElement("p");
    speaker.textContent = who;
    words.className = "text";
    words.dir = "auto";
    item.append(speaker, words);
    coming.append(item);
    item.scrollIntoView({ block: "nearest" });
    return words;
  };

  // The events of an answer, as they come.
  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) {
        const of = (field) => part.split("\n").filter((one) => one.startsWith(`${field}:`)).map((one) => one.slice(field.length + 1).trim()).join("\n");
        if (of("data") !== "") yield { kind: of("event"), data: JSON.parse(of("data")) };
      }
    }
  }

  const refreshed = () => new Promise((resolve) => {
    document.getElementById("turns").addEventListener("debrief:replaced", resolve, { once: true });
    setTimeout(resolve, 3000);
    document.dispatchEvent(new CustomEvent("debrief:refresh"));
  });

  const say = async (said) => {
    const body = new URLSearchParams({ message: said, once: form.elements.once.value });
    const headers = { accept: "text/event-stream", "x-csrf-token": csrf };
    const answer = await fetch(form.action, { method: "POST", headers, body, credentials: "same-origin" });
    if (!answer.ok || !(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) return false;
    const waits = line(coming.dataset.waits);
    const lines = new Map();
    for await (const { kind, data } of events(answer.body)) {
      if (kind === "error") return false;
      if (kind !== "ai_response_text") continue;
      waits.parentElement.remove();
      if (!lines.has(data.turn_number)) lines.set(data.turn_number, line(data.speaker_name));
      const words = lines.get(data.turn_number);
      words.textContent = `${words.textContent} ${data.text}`.trim();
    }
    return true;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = message.value;
    button.disabled = true;
    coming.hidden = false;
    line(coming.dataset.you).textContent = said;
    message.value = "";
    const done = await say(said).catch(() => false);
    if (!done) {
      // The browser sends the form itself. The page then says what is wrong, and a turn that was taken is not taken twice.
      message.value = said;
      button.disabled = false;
      form.submit();
      return;
    }
    await refreshed();
    coming.replaceChildren();
    coming.hidden = true;
    form.elements.once.value = name();
    button.disabled = false;
    message.focus();
  });

  message.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
})();
