// The page of a call works without this script. With it, the transcript follows the sound, and a click on a line or on
// the outline of the recording plays from there. An address with #t=12345 begins at that millisecond. What somebody writes
// into a correction stays in the browser until it is saved, so a closed tab loses nothing.
(() => {
  "use strict";

  const name = (place) => `debrief-draft:${place}`;
  const form = document.querySelector("[data-draft]");
  if (form !== null) {
    const key = name(form.dataset.draft);
    const draft = localStorage.getItem(key);
    if (draft !== null && draft !== form.value) {
      form.value = draft;
      document.getElementById("draft")?.removeAttribute("hidden");
    }
    form.addEventListener("input", () => localStorage.setItem(key, form.value));
    form.focus();
  }
  // What was saved, or what somebody gave up, needs no draft any more.
  for (const link of document.querySelectorAll("[data-undraft]")) {
    link.addEventListener("click", () => localStorage.removeItem(name(link.dataset.undraft)));
  }
  for (const shown of document.querySelectorAll("[data-place]")) {
    const key = name(shown.dataset.place);
    if (localStorage.getItem(key)?.trim().replace(/\s+/g, " ") === shown.textContent.replace(/\s+/g, " ")) {
      localStorage.removeItem(key);
    }
  }

  const sound = document.getElementById("sound");
  const lines = [...document.querySelectorAll("#lines [data-ms]")];
  if (sound === null) return;

  const play = (ms) => {
    sound.currentTime = ms / 1000;
    sound.play().catch(() => {
      // A browser may want a click on the player first. The place is kept.
    });
  };

  const lineAt = (ms) => lines.findLast((line) => Number(line.dataset.ms) <= ms);

  let current = null;
  sound.addEventListener("timeupdate", () => {
    const line = lineAt(sound.currentTime * 1000) ?? null;
    if (line === current) return;
    current?.removeAttribute("aria-current");
    line?.setAttribute("aria-current", "true");
    if (!sound.paused) line?.scrollIntoView({ block: "nearest" });
    current = line;
  });

  for (const line of lines) {
    line.querySelector("a").addEventListener("click", () => play(Number(line.dataset.ms)));
  }

  const outline = document.getElementById("outline");
  outline?.addEventListener("click", (event) => {
    const box = outline.getBoundingClientRect();
    play(Number(outline.dataset.length) * (event.clientX - box.left) / box.width);
  });

  const speed = document.getElementById("speed");
  speed.hidden = false;
  speed.querySelector("select").addEventListener("change", (event) => {
    sound.playbackRate = Number(event.target.value);
  });

  const moment = /^#t=(\d+)$/.exec(location.hash);
  if (moment !== null) {
    const ms = Number(moment[1]);
    sound.currentTime = ms / 1000;
    lineAt(ms)?.scrollIntoView({ block: "center" });
  }
})();
