// The keyboard, where no field or control wants the key for itself.

import { byId } from "./dom.js";
import { store } from "./store.js";
import { nextMode } from "./transport.js";

/** Tie keys to a player. */
export function tieKeys(player) {
  byId("help-open").addEventListener("click", () => byId("help-dialog").showModal());
  const second = () => Math.max(1, Math.round(player.rate));
  const actions = {
    " ": () => player.toggle(),
    k: () => player.toggle(),
    j: () => player.shuttle(-1),
    l: () => player.shuttle(1),
    arrowleft: (event) => player.step(event.shiftKey ? -second() : -1),
    arrowright: (event) => player.step(event.shiftKey ? second() : 1),
    home: () => player.seek(0),
    end: () => player.seek(player.total - 1),
    n: () => byId("change-next").click(),
    p: () => byId("change-before").click(),
    c: nextMode,
    e: () => byId("export-open").click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "?" && !writes(event.target)) return byId("help-dialog").showModal();
    const action = actions[event.key.toLowerCase()];
    if (!action || byId("view-run").hidden || byId("watch").hidden || wants(event.target, event.key)) return;
    event.preventDefault();
    action(event);
  });
}

const writes = (target) => target.matches("input:not([type=range], [type=radio], [type=checkbox]), textarea");

/** Return whether a control uses the key itself. */
function wants(target, key) {
  if (writes(target) || target.matches("select")) return true;
  if (key === " ") return target.matches("button, summary, input, a");
  const moves = key.startsWith("Arrow") || key === "Home" || key === "End";
  return moves && target.matches("input, pre");
}
