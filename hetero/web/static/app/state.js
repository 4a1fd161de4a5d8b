// What the page knows, in one object; whoever changes it has it drawn again, once for all changes of a turn.

/**
 * route: where we are (route.js). data: the last answer, and `source` the request that it answers. problem: why there
 * is none. link: "opening", "open", "lost" or "none"; retry: when the next attempt is made. offset: seconds by which the
 * server's clock is ahead of ours. session: who asks; null until it is known.
 */
export const state = {
  route: null,
  data: null,
  source: "",
  problem: null,
  link: "opening",
  retry: 0,
  received: 0,
  offset: 0,
  session: null,
  theme: "system",
  kept: {},
};

let drawer = () => {};
let asked = false;

/** Name who draws. */
export function drawnBy(draw) {
  drawer = draw;
}

/** Change some fields, and have the page drawn. */
export function change(fields) {
  Object.assign(state, fields);
  if (asked) return;
  asked = true;
  queueMicrotask(() => {
    asked = false;
    drawer();
  });
}

/** Seconds since 1970 by the server's clock: ages must not depend on whether ours is right. */
export function now() {
  return Date.now() / 1000 + state.offset;
}

/** What one part of a page keeps while the page stays: drafts and answers to questions asked on it. */
export function kept(name, first) {
  return name in state.kept ? state.kept[name] : first;
}

/** Keep it, and have the page drawn. */
export function keep(name, value) {
  change({ kept: { ...state.kept, [name]: value } });
}

/** Remember a choice beyond this visit, where the browser allows it. */
export function remember(name, value) {
  try {
    localStorage.setItem(`hetero.${name}`, value);
  } catch {
    // Storage is refused: the choice holds for this visit.
  }
}

/** A choice of an earlier visit; null where there is none. */
export function remembered(name) {
  try {
    return localStorage.getItem(`hetero.${name}`);
  } catch {
    return null;
  }
}
