// What the page knows, in one place; whoever shows a part of it is told when that part changes.

/** Return a store: `get()`, `set(changes)`, `on(names, listener)`. */
export function createStore(initial) {
  let state = { ...initial };
  const listeners = [];
  return {
    get: () => state,
    set(changes) {
      const before = state;
      const changed = Object.keys(changes).filter((name) => changes[name] !== before[name]);
      if (changed.length === 0) return;
      state = { ...state, ...changes };
      for (const { names, listener } of listeners) if (names.some((name) => changed.includes(name))) listener(state, before);
    },
    on(names, listener) {
      listeners.push({ names, listener });
    },
  };
}

export const store = createStore({
  about: null,
  runs: [], // as /api/runs says, newest first
  selected: null, // id of the run that is shown, or null for the page to open one
  run: null, // details of that run: times, cuts, keyframes, labels
  settings: null, // of propagation
  key: null, // of the detections that the server makes with these settings
  alone: null, // key of the network alone at the same threshold
  work: null, // {frames, total, done}: how far the whole video is with them
  overview: null, // of the whole video, for the strip
  frame: 0, // where the playhead is
  mode: "both", // both, wipe, alone, propagated
  picked: null, // {label, frame, box, id}: the object of figure 4
});
