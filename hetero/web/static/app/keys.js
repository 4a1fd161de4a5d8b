// Everything works without a mouse: "/" searches, arrows go through rows and through the slices of a card.

const TYPED = "input, textarea, select, [contenteditable]";

/** Listen for the keys of the page. */
export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.matches?.(TYPED);
    if (event.key === "/" && !typing) done(event, focus("#search"));
    else if (event.key === "Escape" && event.target.id === "search") leave(event);
    else if (event.key === "ArrowDown" && event.target.id === "search") done(event, focus("[data-row] a"));
    else if (!typing) done(event, walk(event));
  });
}

function done(event, moved) {
  if (moved) event.preventDefault();
}

function focus(selector) {
  const found = document.querySelector(`main ${selector}`);
  found?.focus();
  found?.select?.();
  return Boolean(found);
}

// The first Esc empties the search, as people expect; the next one leaves it.
function leave(event) {
  if (event.target.value) {
    event.target.value = "";
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  } else event.target.blur();
  event.preventDefault();
}

function walk(event) {
  const { key, target } = event;
  if (key === "ArrowRight" || key === "ArrowLeft") return aside(target, key === "ArrowRight" ? 1 : -1);
  const row = target.closest?.("[data-row]");
  if (!row) return false;
  const rows = [...row.parentElement.querySelectorAll(":scope > [data-row]")];
  const at = rows.indexOf(row);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[key];
  if (next === undefined || !rows[next]) return false;
  const link = rows[next].querySelector("a");
  link?.focus();
  return Boolean(link);
}

// Slices are out of the tab order, or fifty cards would be hundreds of stops.
function aside(target, step) {
  const card = target.closest?.("[data-card]");
  if (!card) return false;
  const stops = [...card.querySelectorAll("a")].filter((one) => !one.hasAttribute("aria-hidden"));
  const next = stops[stops.indexOf(target) + step];
  next?.focus();
  return Boolean(next);
}
