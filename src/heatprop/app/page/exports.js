// Exports, and the command that does the same.

import { api } from "./api.js";
import { announce, byId, element, say } from "./dom.js";
import { count } from "./format.js";
import { store } from "./store.js";

const FORMATS = {
  mp4: ["Video (MP4)", "The video with boxes."],
  gif: ["GIF of a range", "For a chat: a few seconds."],
  csv: ["Table (CSV)", "A row a detection: frame, time, id, class, score, box, length."],
  parquet: ["Table (Parquet)", "The same rows for pandas, Polars and DuckDB."],
  jsonl: ["JSON Lines", "A line a frame, as heatprop detect --json."],
  coco: ["COCO (JSON)", "Results of detection."],
  mot: ["MOTChallenge (text)", "A row an object and frame, with ids."],
};
const PICTURES = ["mp4", "gif"];
const jobs = new Map(); // job -> its item in the list

/** Tie the dialog; `frameNow()` is where the playhead is. */
export function tieExports() {
  const dialog = byId("export-dialog");
  byId("export-format").replaceChildren(...Object.entries(FORMATS).map(([name, [title]]) => element("option", { value: name, text: title })));
  byId("export-format").addEventListener("change", showFormat);
  byId("export-open").addEventListener("click", () => {
    open();
    dialog.showModal();
  });
  byId("export-around").addEventListener("click", () => range(around()));
  byId("export-form").addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  for (const kind of ["shell", "python"]) {
    byId(`copy-${kind}`).addEventListener("click", () => copy(byId(`command-${kind}`).textContent, byId(`copy-${kind}`)));
  }
}

/** Take word of an export from the server: {job, done, total, error, url}. */
export function exportAdvanced({ job, done, total, error, url }) {
  const item = jobs.get(job);
  if (!item) return;
  const [text, bar] = item.children;
  if (total) Object.assign(bar, { max: total, value: done });
  if (!error && !url) return;
  bar.remove();
  jobs.delete(job);
  if (error) {
    item.append(element("p", { class: "error", text: error }));
    return;
  }
  const name = decodeURIComponent(url.split("/").at(-1));
  item.append(element("a", { href: url, download: name, text: `Save ${name}`, class: "link" }));
  text.textContent = `${item.dataset.title} is ready`;
  announce(text.textContent);
  item.querySelector("a").click();
}

function open() {
  const { run } = store.get();
  say(byId("export-error"), null);
  byId("export-from").max = run.frames - 1;
  byId("export-to").max = run.frames;
  range([0, run.frames]);
  showFormat();
  showCommands();
}

function showFormat() {
  const format = byId("export-format").value;
  byId("export-hint").textContent = FORMATS[format][1];
  byId("export-view-field").hidden = !PICTURES.includes(format);
  const { run } = store.get();
  const whole = Number(byId("export-from").value) === 0 && Number(byId("export-to").value) === run.frames;
  if (format === "gif" && whole) range(around());
}

/** Return the range of two seconds around the playhead. */
function around() {
  const { run, frame } = store.get();
  const half = Math.max(1, Math.round(run.rate));
  return [Math.max(0, frame - half), Math.min(run.frames, frame + half)];
}

function range([from, to]) {
  byId("export-from").value = from;
  byId("export-to").value = to;
}

async function start() {
  const { run, key, alone } = store.get();
  const format = byId("export-format").value;
  const [from, to] = [Number(byId("export-from").value), Number(byId("export-to").value)];
  if (!(from >= 0 && to > from && to <= run.frames)) {
    say(byId("export-error"), `Frames go from 0 to ${count(run.frames)}; the first must come before the last.`);
    return;
  }
  say(byId("export-error"), null);
  const view = PICTURES.includes(format) ? byId("export-view").value : "propagated";
  const whole = from === 0 && to === run.frames;
  try {
    const { job } = await api.exportRun(run.id, { format, view, key: view === "alone" ? alone : key, from: whole ? null : from, to: whole ? null : to });
    const title = FORMATS[format][0];
    const item = element("li", {}, element("p", { text: `${title} …` }), element("progress", { "aria-label": `Progress of ${title}` }));
    item.dataset.title = title;
    jobs.set(job, item);
    byId("export-jobs").prepend(item);
  } catch (error) {
    say(byId("export-error"), error.message);
  }
}

async function showCommands() {
  const { run, key } = store.get();
  say(byId("commands-error"), null);
  try {
    const { shell, note, python } = await api.commands(run.id, key);
    byId("command-shell").textContent = shell ?? "";
    byId("command-shell").closest(".code").hidden = shell === null;
    say(byId("command-note"), note);
    byId("command-python").textContent = python;
  } catch (error) {
    say(byId("commands-error"), error.message);
  }
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    announce("Copied");
  } catch {
    button.textContent = "Press Ctrl+C";
    const lines = button.parentElement.querySelector("code");
    getSelection().selectAllChildren(lines);
  }
  setTimeout(() => (button.textContent = "Copy"), 1800);
}
