// The page of `heatprop app`: ties its parts to the server.

import { api, listen, trouble } from "./api.js";
import { byId, say } from "./dom.js";
import { exportAdvanced, tieExports } from "./exports.js";
import { many } from "./format.js";
import { tieLibrary } from "./library.js";
import { tieOpen } from "./open.js";
import { tieProgress } from "./progress.js";
import { store } from "./store.js";
import { Watching } from "./watching.js";

const fail = (error) => say(byId("trouble"), error.message);

let watching = null;

async function begin() {
  if (matchMedia("(max-width: 860px)").matches) store.set({ mode: "wipe" });
  let about;
  let runs;
  try {
    [about, runs] = await Promise.all([api.about(), api.runs()]);
  } catch (error) {
    fail(error);
    return;
  }
  watching = new Watching(about, fail);
  tieLibrary(select);
  tieProgress(fail);
  tieOpen(about, (run) => {
    upsert(run);
    select(run.id);
  });
  tieExports();
  tieRunHead();
  store.set({ about, runs: newestFirst(runs) });
  addEventListener("hashchange", () => show(fromHash()));
  document.addEventListener("opening", () => select(null));
  show(fromHash());
  listen({ run: upsert, gone: ({ id }) => forget(id), tuning: (word) => watching.advanced(word), export: exportAdvanced }, answered);
}

const fromHash = () => location.hash.slice(1) || null;
const newestFirst = (runs) => [...runs].sort((one, other) => String(other.created).localeCompare(String(one.created), "en", { numeric: true }));

let lost = false;

/** Say when the server is gone; when it is back, take its list again. */
async function answered(is) {
  if (!is) {
    lost = true;
    say(byId("trouble"), trouble);
    return;
  }
  if (!lost) return;
  lost = false;
  say(byId("trouble"), null);
  try {
    store.set({ runs: newestFirst(await api.runs()) });
    show(store.get().selected, true);
  } catch (error) {
    fail(error);
  }
}

function select(id) {
  if ((id ?? "") === location.hash.slice(1)) show(id);
  else location.hash = id ?? "";
}

function upsert(run) {
  const { runs, selected } = store.get();
  const before = runs.find((each) => each.id === run.id);
  store.set({ runs: before ? runs.map((each) => (each.id === run.id ? run : each)) : newestFirst([run, ...runs]) });
  if (run.id !== selected) return;
  if (before?.state !== run.state) show(run.id, true);
  else writeHead(run);
}

function forget(id) {
  store.set({ runs: store.get().runs.filter((each) => each.id !== id) });
  if (store.get().selected === id) select(null);
}

const AT_WORK = ["queued", "running", "paused"];
const watchable = (run) => !AT_WORK.includes(run.state) && run.frames > 0;
const playable = (run) => run.playable ?? run.kind === "video";

let shown = 0;

/** Show a run, or for null the page to open one. */
async function show(id, again = false) {
  const known = store.get().runs.find((each) => each.id === id);
  if (id !== null && !known) return select(null);
  if (id !== null && id === store.get().selected && !again) return;
  const mine = ++shown;
  document.body.dataset.view = id === null ? "open" : "run";
  byId("view-open").hidden = id !== null;
  byId("view-run").hidden = id === null;
  watching.close();
  store.set({ selected: id });
  say(byId("trouble"), null);
  document.title = known ? `${known.name} – heatprop` : "heatprop";
  if (!again) scrollTo(0, 0);
  for (const part of ["watch", "tuning"]) byId(part).hidden = true;
  byId("export-open").hidden = true;
  if (id === null) return;
  writeHead(known);
  if (!watchable(known)) return;
  try {
    const run = await api.run(id);
    if (mine !== shown) return;
    for (const part of ["watch", "tuning"]) byId(part).hidden = false;
    byId("export-open").hidden = false;
    watching.show({ ...run, playable: playable(run) });
  } catch (error) {
    if (mine === shown) fail(error);
  }
}

function writeHead(run) {
  byId("run-name").textContent = run.name;
  const classes = run.classes?.length ? run.classes.join(", ") : "all classes";
  const facts = [run.model ?? "results", classes];
  if (run.width) facts.push(`${run.width} × ${run.height}`);
  if (run.state === "done") facts.push(many(run.frames, "frame"));
  if (run.rate) facts.push(`${Number(run.rate.toFixed(2))} a second`);
  byId("run-facts").textContent = facts.join(" · ");
}

function tieRunHead() {
  const selected = () => store.get().runs.find((each) => each.id === store.get().selected);
  byId("rename").addEventListener("click", () => {
    byId("new-name").value = selected().name;
    say(byId("name-error"), null);
    byId("name-dialog").showModal();
    byId("new-name").select();
  });
  byId("name-cancel").addEventListener("click", () => byId("name-dialog").close());
  byId("name-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const run = await api.act(selected().id, "rename", { name: byId("new-name").value.trim() });
      if (run?.id) upsert(run);
      byId("name-dialog").close();
    } catch (error) {
      say(byId("name-error"), error.message);
    }
  });
  byId("remove").addEventListener("click", () => {
    const run = selected();
    byId("remove-text").textContent = `“${run.name}” and what was found in it are deleted from the folder of heatprop app. A file that you named by its path stays where it is.`;
    say(byId("remove-error"), null);
    byId("remove-dialog").showModal();
  });
  byId("remove-form").addEventListener("submit", async (event) => {
    if (event.submitter?.value !== "remove") return;
    event.preventDefault();
    const { id } = selected();
    try {
      await api.remove(id);
      byId("remove-dialog").close();
      forget(id);
    } catch (error) {
      say(byId("remove-error"), error.message);
    }
  });
}

begin();
