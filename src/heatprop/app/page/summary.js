// One sentence that says what propagation does to this video, and one about this frame.

import { byId, element } from "./dom.js";
import { count, many } from "./format.js";
import { store } from "./store.js";

const changes = new WeakMap(); // of overviews: they are asked for at every frame

/** Return the numbers of the frames that propagation changed, in order. */
export function changedFrames(overview) {
  if (!overview) return [];
  if (!changes.has(overview)) {
    changes.set(overview, [...new Set([...overview.recovered, ...overview.suppressed])].sort((one, other) => one - other));
  }
  return changes.get(overview);
}

const OF_A_FILE = "These detections were made before. Open their video to compare with the network alone, and to tune.";

/** Return the sentence about the whole video, as pieces: texts, and [class, text]. */
export function sentence(overview, form, done) {
  if (form === "none") return ["Propagation is off: both sides show the network alone."];
  if (!overview) return ["Working out what propagation changes in this video …"];
  const { recovered, suppressed } = overview.boxes;
  const start = done ? "Propagation" : "So far propagation";
  if (recovered + suppressed === 0) {
    return [done ? "With these settings propagation shows the same boxes as the network alone." : "So far propagation changed nothing."];
  }
  const frames = (name) => `, in ${many(overview[name].length, "frame")}`;
  const pieces = [`${start} `];
  if (recovered) {
    pieces.push(["says-propagated", `recovered ${many(recovered, "box", "boxes")}`], ` that the network alone missed${frames("recovered")}`);
  }
  if (recovered && suppressed) pieces.push(", and ");
  if (suppressed) {
    pieces.push(["says-alone", `suppressed ${recovered ? count(suppressed) : many(suppressed, "box", "boxes")}`]);
    pieces.push(` that ${recovered ? "it" : "the network alone"} showed for a moment${frames("suppressed")}`);
  }
  return [...pieces, "."];
}

/** Return the sentence about a frame: what is marked in it. */
export function frameSentence(recovered, suppressed) {
  if (recovered + suppressed === 0) return "In this frame both show the same.";
  const said = [];
  if (recovered) said.push(`${count(recovered)} recovered, framed in blue`);
  if (suppressed) said.push(`${count(suppressed)} suppressed, framed in dashed orange`);
  return `In this frame: ${said.join("; ")}.`;
}

/** Return the next frame that propagation changed, or the one before (`direction` -1); undefined where there is none. */
export function changeFrom(overview, frame, direction) {
  const frames = changedFrames(overview);
  return direction > 0 ? frames.find((each) => each > frame) : frames.findLast((each) => each < frame);
}

/** Write the sentence whenever what it rests on changes. */
export function tieSummary(player) {
  for (const [id, direction] of [["change-before", -1], ["change-next", 1]]) {
    byId(id).addEventListener("click", () => player.jump(changeFrom(store.get().overview, store.get().frame, direction)));
  }
  store.on(["overview", "frame"], ({ overview, frame }) => {
    byId("change-before").disabled = changeFrom(overview, frame, -1) === undefined;
    byId("change-next").disabled = changeFrom(overview, frame, 1) === undefined;
  });
  store.on(["overview", "settings", "work", "key", "run"], ({ overview, settings, work, key, run }) => {
    if (!run) return;
    const isOld = Boolean(overview) && overview.key !== key; // of the settings before: it stays until the next is there
    const pieces = run.tunable ? sentence(overview, settings?.form, isOld || Boolean(work?.done && overview?.done)) : [OF_A_FILE];
    byId("sentence").classList.toggle("old", isOld);
    byId("sentence").replaceChildren(
      ...pieces.map((piece) => (typeof piece === "string" ? piece : element("span", { class: piece[0], text: piece[1] }))),
    );
  });
}

/** Write AP and false alarms of both sides; nothing without annotations. */
export function writeTruth(truth) {
  const place = byId("truth-sentence");
  place.hidden = !truth;
  if (!truth) return;
  if (!truth.done) {
    place.textContent = "Comparing with the annotations …";
    return;
  }
  const both = (name, write) => [
    element("span", { class: "says-alone", text: write(truth[name]?.alone) }),
    " alone, ",
    element("span", { class: "says-propagated", text: write(truth[name]?.propagated) }),
    " with propagation",
  ];
  const percent = (value) => (typeof value === "number" ? (100 * value).toFixed(1) : "none");
  const decimals = (value) => (typeof value === "number" ? value.toFixed(2) : "none");
  place.replaceChildren(
    "Against the annotations: AP ", ...both("ap", percent),
    "; objects found ", ...both("found", (value) => `${percent(value)} %`),
    "; false alarms a frame ", ...both("false_alarms", decimals), ".",
  );
}
