// Opening a video: a drop anywhere on the page, a file, or the name of a source.

import { api, upload } from "./api.js";
import { announce, byId, element, say } from "./dom.js";
import { size } from "./format.js";

const OWN = ""; // the model is a file of the reader
const SIDES = [256, 320, 384, 512, 640, 768, 960]; // longest sides of the input to choose from

/** Tie the form to the server; `onStarted` is called with each run that began. */
export function tieOpen(about, onStarted) {
  fillModels(about);
  const fail = (error) => say(byId("open-error"), error.message);
  const start = async (source) => {
    say(byId("open-error"), null);
    try {
      onStarted(await api.start({ ...source, ...choices() }));
    } catch (error) {
      fail(error);
    }
  };
  byId("open-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const source = byId("source").value.trim();
    if (!source) {
      fail(new Error("Drop a video, choose a file, or name a path, an address or a camera."));
      byId("source").focus();
      return;
    }
    start({ source });
  });
  const copyAll = async (files) => {
    for (const file of files) await copy(file, about, start, fail);
  };
  byId("file").addEventListener("change", async (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    await copyAll(files);
  });
  listenForDrops(copyAll, fail);
}

async function copy(file, about, start, fail) {
  say(byId("open-error"), null);
  if (about.max_upload && file.size > about.max_upload) {
    fail(new Error(`${file.name} has ${size(file.size)}; ${size(about.max_upload)} are allowed. Give its path instead, or start heatprop app with --max-upload.`));
    return;
  }
  const place = byId("upload");
  const bar = byId("upload-progress");
  place.hidden = false;
  bar.value = 0;
  byId("upload-text").textContent = `Copying ${file.name} …`;
  announce(`Copying ${file.name}`);
  const { done, stop } = upload(file, (loaded, total) => {
    bar.value = total ? loaded / total : 1;
    byId("upload-text").textContent = `Copying ${file.name}: ${size(loaded)} of ${size(total)}`;
  });
  byId("upload-cancel").onclick = stop;
  try {
    const answer = await done;
    if (answer !== null) await start({ upload: answer.upload });
  } catch (error) {
    fail(error);
  } finally {
    place.hidden = true;
  }
}

/** Return what the form says of the detector. */
function choices() {
  const text = (id) => byId(id).value.trim();
  const listed = (id) => text(id).split(",").map((name) => name.trim()).filter((name) => name !== "");
  const names = listed("names");
  return {
    model: byId("model").value === OWN ? text("model-path") : byId("model").value,
    classes: listed("classes"),
    input_size: Number(byId("input-size").value) || null,
    layout: byId("layout").value,
    class_names: names.length ? names : null,
    truth: text("truth") || null,
  };
}

function fillModels(about) {
  const models = byId("model");
  models.replaceChildren(...about.models.map((model) => element("option", { value: model.name, text: model.name })), element("option", { value: OWN, text: "A file of yours …" }));
  const show = () => {
    const model = about.models.find((each) => each.name === models.value);
    byId("model-path").hidden = model !== undefined;
    byId("model-hint").textContent = model ? `${model.title}, ${size(model.bytes)}` : "ONNX, or OpenVINO's .xml, of any family that heatprop detect takes.";
    byId("class-names").replaceChildren(...(model?.classes ?? []).map((name) => element("option", { value: name })));
    const own = model?.input.longest_side;
    const others = SIDES.filter((side) => side !== own && side % (model?.input.multiple ?? 1) === 0).map((side) => element("option", { value: side, text: `${side} pixels` }));
    byId("input-size").replaceChildren(element("option", { value: "", text: own ? `as the model has it, ${own} pixels` : "as the model has it" }), ...others);
  };
  models.addEventListener("change", show);
  byId("layout").replaceChildren(...about.layouts.map((name) => element("option", { value: name, text: name === "auto" ? "recognised by itself" : name })));
  show();
}

function listenForDrops(copyAll, fail) {
  let depth = 0; // dragenter and dragleave come for each element on the way
  const veil = (shown) => (byId("drop-veil").hidden = !shown);
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    veil(true);
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    veil(depth > 0);
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    depth = 0;
    veil(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.dispatchEvent(new CustomEvent("opening"));
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) fail(new Error("A folder cannot be dropped; name its path below."));
    else copyAll([...event.dataTransfer.files]);
  });
}
