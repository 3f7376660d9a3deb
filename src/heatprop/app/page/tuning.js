// The panel of sliders, made from what the server says can be set.

import { byId, element, say } from "./dom.js";
import { count } from "./format.js";
import { store } from "./store.js";

const FORMS = { none: "Off", paper: "Paper", adaptive: "Adaptive" };
const WORDS = { radius: "radius in cells", alpha: "share of the past", beta: "weight of length" };
const PAPER_ONLY = ["carries"];

/** Build the panel; `onChange` is called when settings changed. */
export function buildTuning(about, onChange) {
  const rows = new Map();
  const set = (name, value) => {
    store.set({ settings: { ...store.get().settings, [name]: value } });
    onChange();
  };
  const place = byId("sliders");
  const described = about.settings.filter((each) => each.name !== "form");
  const group = (name) => described.filter((each) => each.group === name);
  const adaptive = element("details", { id: "adaptive" }, element("summary", { text: "How it adapts to each object" }));
  const inner = element("div", { class: "slider-group" });
  adaptive.append(inner);
  place.replaceChildren(forms(about.forms, set));
  for (const each of [...group("show"), ...group("paper")]) place.append(row(each, set, rows));
  for (const each of group("adaptive")) inner.append(row(each, set, rows));
  place.append(adaptive);
  byId("defaults").addEventListener("click", () => {
    const { form } = store.get().settings;
    store.set({ settings: defaults(about, form) });
    onChange();
  });
  store.on(["settings"], ({ settings }) => settings && show(settings, rows, about, adaptive));
  store.on(["work", "settings"], ({ work, settings }) => showWork(work, settings));
}

/** Return the default settings of a form. */
export function defaults(about, form) {
  const of = form === "none" ? "adaptive" : form;
  const values = about.settings.filter((each) => each.name !== "form").map((each) => [each.name, each.default[of]]);
  return { ...Object.fromEntries(values), form };
}

/** Return what the server is asked for: only what the form has. */
export function asked(settings, about) {
  const { form } = settings;
  const has = ({ name, group }) =>
    group === "show" || (form !== "none" && (group === "paper" ? form === "paper" || !PAPER_ONLY.includes(name) : form === "adaptive"));
  return Object.fromEntries(about.settings.filter(has).map(({ name }) => [name, settings[name]]).filter(([, value]) => value !== undefined));
}

function forms(names, set) {
  const choices = names.map((name) =>
    element("label", {}, element("input", { type: "radio", name: "form", value: name, on: { change: () => set("form", name) } }), element("span", { text: FORMS[name] ?? name })));
  return element("fieldset", { class: "segments", id: "forms" }, element("legend", { class: "visually-hidden", text: "Form of propagation" }), ...choices);
}

function row(described, set, rows) {
  const id = `set-${described.name}`;
  const hint = element("p", { class: "hint", id: `${id}-hint`, text: described.help, hidden: true });
  const more = element("button", {
    type: "button", class: "what", "aria-expanded": "false", "aria-controls": hint.id, "aria-label": `What ${described.label} means`, text: "?",
    on: { click: () => {
      hint.hidden = !hint.hidden;
      more.setAttribute("aria-expanded", String(!hint.hidden));
    } },
  });
  const made = maker(described.kind)(described, id, more, set);
  made.row.append(hint);
  rows.set(described.name, { ...made, described });
  return made.row;
}

const maker = (kind) => ({ range, switch: toggle, choice })[kind] ?? range;

function range(described, id, more, set) {
  const { min, max, step } = described;
  const output = element("output", { for: id });
  const input = element("input", { type: "range", id, min, max, step, on: { input: () => set(described.name, Number(input.value)) } });
  const words = WORDS[described.name] ? element("span", { class: "symbol", text: ` ${WORDS[described.name]}` }) : null;
  const head = element("span", { class: "slider-head" }, element("label", { for: id }, described.label, words), more);
  const show = (value) => {
    const number = value === "inf" ? max : value;
    input.value = number;
    const text = value === "inf" ? "∞" : written(number, step);
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
    input.style.setProperty("--filled", `${((number - min) / (max - min)) * 100}%`);
  };
  return { row: element("div", { class: "slider" }, head, output, input), input, show };
}

function toggle(described, id, more, set) {
  const input = element("input", { type: "checkbox", id, on: { change: () => set(described.name, input.checked) } });
  const label = element("label", { class: "switch", for: id }, input, described.label);
  return { row: element("div", { class: "slider" }, element("span", { class: "slider-head" }, label, more)), input, show: (value) => (input.checked = value) };
}

function choice(described, id, more, set) {
  const input = element("select", { id, on: { change: () => set(described.name, input.value) } }, ...described.choices.map((each) => element("option", { value: each, text: each })));
  const head = element("span", { class: "slider-head" }, element("label", { for: id, text: described.label }), more);
  return { row: element("div", { class: "slider stacked" }, head, input), input, show: (value) => (input.value = value) };
}

function written(number, step) {
  const decimals = (String(step).split(".")[1] ?? "").length;
  return number.toFixed(decimals);
}

function show(settings, rows, about, adaptive) {
  const standard = defaults(about, settings.form);
  for (const input of byId("forms").querySelectorAll("input")) input.checked = input.value === settings.form;
  for (const [name, { row: place, input, show: write, described }] of rows) {
    write(settings[name] ?? standard[name]);
    place.classList.toggle("changed", settings[name] !== undefined && settings[name] !== standard[name]);
    input.disabled = settings.form === "none" && described.group !== "show";
    place.hidden = PAPER_ONLY.includes(name) && settings.form !== "paper";
  }
  adaptive.hidden = settings.form !== "adaptive";
  byId("defaults").disabled = Object.entries(standard).every(([name, value]) => settings[name] === undefined || settings[name] === value);
}

function showWork(work, settings) {
  const bar = byId("tuning-bar");
  if (!work) {
    say(byId("tuning-text"), "");
    bar.hidden = true;
    return;
  }
  bar.hidden = work.done;
  bar.max = Math.max(1, work.total);
  bar.value = work.frames;
  const all = `All ${count(work.total)} frames have these settings.`;
  const some = "Applied to what you see; the rest of the video follows.";
  say(byId("tuning-text"), settings?.form === "none" && work.done ? "Propagation is off." : work.done ? all : some);
}
