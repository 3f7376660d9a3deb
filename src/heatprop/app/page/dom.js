// Elements, without markup: text from outside is only ever text.

export const byId = (id) => document.getElementById(id);

/** Return a new element. Properties are attributes, but for `class`, `text` and `on`: {event: listener}. */
export function element(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** Return a new element of SVG. */
export function drawing(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(made, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Show a text, or hide the element where there is none. */
export function say(place, text) {
  const shown = text ?? "";
  if (place.textContent !== shown) place.textContent = shown;
  place.hidden = shown === "";
}

/** Tell people who listen to the page; what is said twice is said once. */
export function announce(text) {
  const place = byId("announcer");
  if (place.textContent !== text) place.textContent = text;
}

/** Return a function that runs `work` at most once in each frame of the screen. */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

/** Fit a canvas to its place in pixels of the screen; return its context, in CSS pixels. */
export function fitted(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Return the colours of the page by name, as they are now. */
export function pageColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ground", "surface", "sunken", "line", "line-strong", "ink", "muted", "alone", "propagated"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Call `work` when the colours of the page change. */
export function onSchemeChange(work) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", work);
}
