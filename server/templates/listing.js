// What a listing can do where scripts run. Every change goes through the REST interface and says what it
// believes to be there: nothing is replaced or deleted that was not seen.
"use strict";
(() => {
  const AT_ONCE = 3;
  const find = (selector, within = document) => within.querySelector(selector);
  const tools = find("#tools");
  const say = (text) => { find("#said").textContent = text; };
  const made = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  // One line that says why, as the server gives it.
  const reason = (status, text) => text.trim().split("\n")[0] || `status ${status}`;

  // The directory again, as it is now; what was begun on the page stays.
  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const entries = find("#entries", fresh);
    const at = deletes().indexOf(document.activeElement);
    if (entries) find("#entries").replaceWith(document.adoptNode(entries));
    enhance();
    focus(at);
  }

  const deletes = () => [...document.querySelectorAll("#entries .delete")];

  // Whoever has no mouse goes on where the button was, or at the last one.
  function focus(at) {
    const buttons = deletes();
    if (at >= 0) (buttons[Math.min(at, buttons.length - 1)] || find("#entries a"))?.focus();
  }

  // Deleting.

  function enhance() {
    if (!find("table[data-deletes]")) return;
    for (const row of document.querySelectorAll("tr[data-entry]")) {
      const name = find("bdi", row).textContent;
      const button = made("button", { type: "button", className: "delete", title: "Delete" }, "×");
      button.setAttribute("aria-label", `Delete ${name}`);
      button.onclick = () => remove(row, name, button);
      row.append(made("td", { className: "do" }, button));
    }
    for (const row of document.querySelectorAll("thead tr, tr.parent")) {
      row.append(made("td", { className: "do" }));
    }
  }

  async function remove(row, name, button) {
    const isFile = row.dataset.entry === "file";
    const what = isFile ? "file" : "directory, which has to be empty";
    if (!await confirmed(`Delete “${name}”?`, `This removes the ${what}, for good.`, "Delete")) return;
    const at = deletes().indexOf(button);
    button.disabled = true;
    const headers = isFile ? { "If-Match": row.dataset.tag } : {};
    try {
      const answer = await fetch(find("a", row).href, { method: "DELETE", headers });
      const text = await answer.text();
      if (answer.ok) {
        say(`${name} is deleted`);
        await refresh();
        return focus(at);
      }
      const changed = answer.status === 412 ? "it has changed since this page was made: look again" : "";
      say(`${name} is not deleted: ${changed || reason(answer.status, text)}`);
    } catch {
      say(`${name} is not deleted: the server does not answer`);
    }
    button.disabled = false;
    focus(at);
  }

  function confirmed(question, detail, yes) {
    const dialog = find("#confirm");
    find("h2", dialog).textContent = question;
    find("p", dialog).textContent = detail;
    find("[value=yes]", dialog).textContent = yes;
    dialog.showModal();
    // Not by the event `close`, which comes later, and maybe behind the next question.
    return new Promise((resolve) => {
      find("form", dialog).onsubmit = (event) => resolve(event.submitter.value === "yes");
      dialog.oncancel = () => resolve(false);
    });
  }

  // Uploading.

  const waiting = [];
  let running = 0;

  // `path` is relative to the directory: names with slashes between them.
  function add(file, path) {
    const bar = made("progress", { max: 1, value: 0 });
    const state = made("span", { className: "state" }, "waits");
    const cancel = made("button", { type: "button" }, "Cancel");
    const item = made("li", {}, made("bdi", {}, path), bar, state, cancel);
    find("#uploads").append(item);
    const upload = { file, path, item, bar, state, cancel, condition: ["If-None-Match", "*"] };
    cancel.onclick = () => {
      waiting.splice(0, Infinity, ...waiting.filter((other) => other !== upload));
      if (upload.request) upload.request.abort();
      else end(upload, "bad", "cancelled");
    };
    waiting.push(upload);
    next();
  }

  function next() {
    while (running < AT_ONCE && waiting.length > 0) {
      running += 1;
      send(waiting.shift());
    }
    if (running === 0) refresh().catch(() => {});
  }

  function target(path) {
    // A name that is no text cannot be said; `encodeURIComponent` throws.
    return new URL(path.split("/").map(encodeURIComponent).join("/"), new URL(".", location.href)).href;
  }

  function send(upload) {
    const request = new XMLHttpRequest();
    const over = (kind, text) => {
      upload.request = null;
      running -= 1;
      end(upload, kind, text);
      next();
    };
    try {
      request.open("PUT", target(upload.path));
    } catch {
      return over("bad", "refused: no name that can be sent");
    }
    request.setRequestHeader(...upload.condition);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable || event.total === 0) return;
      upload.bar.value = event.loaded / event.total;
      upload.state.textContent = `${Math.floor(100 * event.loaded / event.total)} %`;
    };
    request.onload = () => {
      if (request.status === 201) return over("good", "created");
      if (request.status === 200) return over("good", "replaced");
      if (request.status === 412) {
        over("bad", "refused: a file is there already");
        return tools.dataset.replaces === undefined || offer(upload);
      }
      over("bad", `refused: ${reason(request.status, request.responseText)}`);
    };
    request.onerror = () => over("bad", "failed: the server does not answer");
    request.onabort = () => over("bad", "cancelled");
    upload.state.textContent = "0 %";
    upload.request = request;
    request.send(upload.file);
  }

  function end(upload, kind, text) {
    upload.item.className = kind;
    upload.state.textContent = text;
    upload.cancel.remove();
    if (kind === "good") upload.bar.value = 1;
    else upload.bar.hidden = true;
    say(`${upload.path}: ${text}`);
  }

  // What is there is shown before it is replaced, and only that version is.
  function offer(upload) {
    const button = made("button", { type: "button" }, "Replace…");
    button.onclick = async () => {
      button.disabled = true;
      const there = await fetch(target(upload.path), { method: "HEAD" }).catch(() => null);
      button.disabled = false;
      const tag = there && there.ok && there.headers.get("ETag");
      if (!tag && (!there || there.status !== 404)) {
        return say(`${upload.path} is not replaced: what is there cannot be seen`);
      }
      const detail = tag
        ? `The file there has ${there.headers.get("Content-Length")} bytes, of ${there.headers.get("Last-Modified")}.`
        : "Nothing is there any more.";
      if (!await confirmed(`Replace “${upload.path}”?`, detail, "Replace")) return;
      button.remove();
      upload.condition = tag ? ["If-Match", tag] : ["If-None-Match", "*"];
      upload.item.className = "";
      upload.bar.hidden = false;
      upload.bar.value = 0;
      upload.state.textContent = "waits";
      upload.item.append(upload.cancel);
      waiting.push(upload);
      next();
    };
    upload.item.append(button);
  }

  // Where uploads go, below this directory: the directories appear with the first file in them.
  function folder() {
    return find("#into").value.split("/").filter((name) => name !== "").map((name) => `${name}/`).join("");
  }

  function chosen(event) {
    for (const file of event.target.files) add(file, folder() + (file.webkitRelativePath || file.name));
    event.target.value = "";
  }

  // An entry that was dropped: a file, or a directory with all that is in it.
  async function dropped(entry, path) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      return add(file, path + entry.name);
    }
    const reader = entry.createReader();
    // It gives some at a time, and none at the end.
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const inner of some) await dropped(inner, `${path}${entry.name}/`);
    }
  }

  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  enhance();
  if (!tools) return;
  addEventListener("dragenter", (event) => { if (hasFiles(event)) over(1); });
  addEventListener("dragleave", (event) => { if (hasFiles(event)) over(-1); });
  addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(-depth);
    const into = folder();
    // Taken out at once: behind this event they are gone.
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => [item.webkitGetAsEntry && item.webkitGetAsEntry(), item.getAsFile()]);
    for (const [entry, file] of entries) {
      if (entry) dropped(entry, into).catch((error) => say(`${entry.name} cannot be read: ${error.message}`));
      else if (file) add(file, into + file.name);
    }
  });

  find("#files").onchange = chosen;
  find("#folders").onchange = chosen;
  tools.hidden = false;
})();
