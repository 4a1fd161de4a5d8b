// Where we are is in the hash, query and all, so that each view can be linked and the back button works.

/** Parse `#/workloads/team/pod?search=x` into page, rest and query. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page, ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { page: page || "overview", rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The hash of a place; what is empty is left out of the query. */
export function to(page, rest = [], query = {}) {
  const path = [page === "overview" && !rest.length ? "" : page, ...rest].map(encodeURIComponent).join("/");
  return `#/${path}${asked(query)}`;
}

/** A query as text, with its question mark; empty where nothing is asked. */
export function asked(query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** The same place with another query; a change of anything but the page begins at its first row. */
export function again(route, changed) {
  return to(route.page, route.rest, { ...route.query, offset: "", ...changed });
}

/** Go there without a new entry in the history: what is typed letter by letter is one step back. */
export function replace(hash) {
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
