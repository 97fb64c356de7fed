// The page that takes files works without this script. With it, files can be dropped onto the page, and a bar shows how much
// of them is sent.
(() => {
  "use strict";

  const form = document.getElementById("upload");
  const input = document.getElementById("file");
  const drop = document.getElementById("drop");
  const progress = document.getElementById("progress");

  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (event.dataTransfer === null || event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    drop.classList.remove("over");
    input.files = event.dataTransfer.files;
    form.requestSubmit();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    progress.hidden = false;
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      progress.querySelector("progress").value = total > 0 ? loaded / total : 0;
    });
    request.addEventListener("load", () => {
      // A refusal is a page too, which says what is wrong.
      if (request.status === 200 && request.responseURL !== location.href) {
        location.assign(request.responseURL);
      } else {
        const page = new DOMParser().parseFromString(request.responseText, "text/html");
        document.getElementById("content").replaceChildren(...page.getElementById("content").childNodes);
        progress.hidden = true;
      }
    });
    // Without an answer the browser sends the form itself, and says what is wrong with the connection.
    request.addEventListener("error", () => form.submit());
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
})();
