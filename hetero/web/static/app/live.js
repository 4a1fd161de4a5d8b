// One stream for the page that is shown: opened again when it is lost, closed while nobody looks.
import { address, ask, Refused } from "./api.js";

const SHORTEST = 1000;
const LONGEST = 30000;
const UNSEEN = 5000;
const FINAL = new Set([400, 401, 403, 404, 405]);

// The stream that early.js has opened, if it is this one and not broken; it is taken over once.
function early(wanted) {
  const stream = globalThis.early;
  globalThis.early = null;
  if (stream?.url === wanted && stream.readyState !== EventSource.CLOSED) return stream;
  stream?.close();
  return null;
}

/**
 * Follow a request until the function that is returned is called.
 *
 * told.data(document), told.fresh(freshness), told.open(), told.lost(when the next attempt is made, problem or null) and
 * told.refused(problem) for what another attempt would not change at once.
 */
export function follow(path, told) {
  let source = null;
  let timer = 0;
  let pause = SHORTEST;
  let ended = false;

  function open() {
    clearTimeout(timer);
    close();
    if (document.hidden) return; // opened when it is looked at
    source = early(address(path)) ?? new EventSource(address(path));
    source.onopen = () => told.open();
    source.onmessage = (event) => {
      pause = SHORTEST;
      told.data(JSON.parse(event.data));
    };
    if (source.kept) source.onmessage(source.kept);
    // Nothing has changed, which is news as well; and what was there may go while it is watched.
    source.addEventListener("freshness", (event) => told.fresh(JSON.parse(event.data)));
    source.addEventListener("problem", (event) => told.refused(new Refused(404, JSON.parse(event.data).error)));
    source.onerror = () => {
      close();
      why();
    };
  }

  // A stream does not tell its status: the same request, asked once, does.
  async function why() {
    let problem = null;
    try {
      const answer = await ask(path);
      if (!ended) told.data(answer);
    } catch (refused) {
      problem = refused;
    }
    if (ended) return;
    if (problem && FINAL.has(problem.status)) told.refused(problem);
    if (!problem || problem.status !== 401) later(problem);
  }

  function later(problem) {
    const wait = pause * (0.75 + Math.random() / 2); // many pages of one dashboard do not come back at once
    pause = Math.min(pause * 2, LONGEST);
    if (!problem || !FINAL.has(problem.status)) told.lost(Date.now() + wait, problem);
    timer = setTimeout(open, wait);
  }

  function close() {
    source?.close();
    source = null;
  }

  function seen() {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(close, UNSEEN);
    else if (!source) open();
  }

  document.addEventListener("visibilitychange", seen);
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
    close();
  };
}
