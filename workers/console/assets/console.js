// The console works without this script. With it, the parts of a page that have the attribute data-live are fetched
// again when something changed. Nothing is fetched while the page is hidden, and nothing is replaced in which the
// visitor is typing, or which plays a sound.
(() => {
  "use strict";

  const live = () => [...document.querySelectorAll("[data-live][id]")];
  if (live().length === 0 || !("EventSource" in window)) return;

  let source = null;
  let isFetching = false;
  let isDue = false;

  const isBusy = (part) =>
    part.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) ||
    part.querySelector("dialog[open], [data-dirty]") !== null ||
    [...part.querySelectorAll("audio")].some((sound) => !sound.paused);

  const refresh = async () => {
    if (isFetching) { isDue = true; return; }
    isFetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of live()) {
        const next = fresh.getElementById(part.id);
        if (next === null || isBusy(part) || next.innerHTML === part.innerHTML) continue;
        const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
        part.replaceChildren(...next.childNodes);
        if (focused !== "") document.getElementById(focused)?.focus();
        part.dispatchEvent(new CustomEvent("debrief:replaced", { bubbles: true }));
      }
    } catch {
      // The next change tries again. Until then the page shows what it had.
    } finally {
      isFetching = false;
      if (isDue) { isDue = false; refresh(); }
    }
  };

  const open = () => {
    if (source !== null || document.hidden) return;
    source = new EventSource("/updates");
    source.addEventListener("changed", refresh);
  };
  const close = () => {
    source?.close();
    source = null;
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); } else { open(); refresh(); }
  });
  document.addEventListener("debrief:refresh", refresh);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
})();
