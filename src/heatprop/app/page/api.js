// What the page asks of the server. Errors carry the one line that the server says.

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const GONE = "heatprop app does not answer. Start it again, then open the address that it prints.";
const STRANGER = "This page is not let in any more. Open the address that heatprop app printed.";

async function request(method, path, body, signal) {
  const headers = method === "GET" ? {} : { "X-Heatprop": "1", "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(GONE, 0);
  }
  if (!answer.ok) throw new ApiError(errorIn(await answer.text(), answer.status), answer.status);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

function errorIn(text, status) {
  if (status === 401) return STRANGER;
  try {
    return JSON.parse(text).error ?? `The server answered ${status}.`;
  } catch {
    return `The server answered ${status}.`;
  }
}

const run = (id) => `/api/runs/${encodeURIComponent(id)}`;
const query = (values) => new URLSearchParams(values).toString();

export const api = {
  about: () => request("GET", "/api/about"),
  runs: () => request("GET", "/api/runs"),
  start: (asked) => request("POST", "/api/runs", asked),
  run: (id) => request("GET", run(id)),
  act: (id, action, body = {}) => request("POST", `${run(id)}/${action}`, body),
  remove: (id) => request("DELETE", run(id)),
  tune: (id, settings, at, signal) => request("POST", `${run(id)}/tune`, { settings, at }, signal),
  detections: (id, key, from, to) => request("GET", `${run(id)}/detections?${query({ key, from, to })}`),
  overview: (id, key) => request("GET", `${run(id)}/overview?${query({ key })}`),
  score: (id, key, object, at) => request("GET", `${run(id)}/score?${query({ key, id: object, at })}`),
  truth: (id, key) => request("GET", `${run(id)}/truth?${query({ key })}`),
  exportRun: (id, asked) => request("POST", `${run(id)}/export`, asked),
  commands: (id, key) => request("GET", `${run(id)}/commands?${query({ key })}`),
  video: (id) => `${run(id)}/video`,
  image: (id, frame) => `${run(id)}/frames/${frame}.jpg`,
};

/** Copy a file to the server. Returns {done, stop}: `done` resolves to the answer, or null when stopped. */
export function upload(file, onProgress) {
  const asked = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    asked.upload.addEventListener("progress", (event) => onProgress(event.loaded, file.size));
    asked.addEventListener("abort", () => resolve(null));
    asked.addEventListener("error", () => reject(new ApiError(GONE, 0)));
    asked.addEventListener("load", () => {
      if (asked.status >= 200 && asked.status < 300) resolve(JSON.parse(asked.responseText));
      else reject(new ApiError(errorIn(asked.responseText, asked.status), asked.status));
    });
  });
  asked.open("POST", `/api/uploads?${query({ name: file.name })}`);
  asked.setRequestHeader("X-Heatprop", "1");
  asked.setRequestHeader("Content-Type", "application/octet-stream");
  asked.send(file);
  return { done, stop: () => asked.abort() };
}

/** Listen to the server: `handlers` by name of the event; `onState` is told whether it answers. */
export function listen(handlers, onState) {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => onState(true));
  events.addEventListener("error", () => {
    onState(false);
    if (events.readyState === EventSource.CLOSED) setTimeout(() => listen(handlers, onState), 2000);
  });
  for (const [name, handler] of Object.entries(handlers)) {
    events.addEventListener(name, (event) => handler(JSON.parse(event.data)));
  }
}
export const trouble = GONE;
