// What of a page some people could not use; each finding names its rule and the element. Evaluated within the page.
//
// Source of the rules: WCAG 2.2, success criteria 1.1.1, 1.3.1, 1.4.3, 2.4.2, 2.4.6, 3.1.1, 4.1.2; of the names:
// Accessible Name and Description Computation 1.2, as far as these pages need it.
() => {
  const found = [];
  const seen = (one) =>
    one.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true }) &&
    !one.closest("[aria-hidden=true], .unseen");
  const told = (rule, one) => found.push(`${rule}: ${one.outerHTML.slice(0, 140)}`);

  const text = (one) =>
    [...one.childNodes]
      .map((node) => {
        if (node.nodeType === 3) return node.data;
        if (node.nodeType !== 1 || node.getAttribute("aria-hidden") === "true") return "";
        return node.getAttribute("aria-label") || node.getAttribute("alt") || text(node);
      })
      .join(" ")
      .trim();
  const named = (one) =>
    one.getAttribute("aria-label")?.trim() || (one.labels?.length && text(one.labels[0])) || text(one) || one.title;

  for (const one of document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [role=img], [role=list], nav, form[role], section[aria-label]",
  ))
    if (seen(one) && !named(one)) told("has no name", one);
  for (const one of document.querySelectorAll("img:not([alt])")) told("has no alternative", one);

  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size !== ids.length) found.push(`an id is there twice: ${ids}`);
  for (const one of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
    for (const id of (one.getAttribute("aria-describedby") || one.getAttribute("aria-labelledby")).split(" "))
      if (!document.getElementById(id)) told("refers to nothing", one);

  const roles = {
    listitem: "list",
    cell: "row",
    rowheader: "row",
    columnheader: "row",
    row: "rowgroup",
    rowgroup: "table",
  };
  for (const [role, within] of Object.entries(roles))
    for (const one of document.querySelectorAll(`[role=${role}]`))
      if (one.parentElement.getAttribute("role") !== within) told(`is not in a ${within}`, one);
  for (const one of document.querySelectorAll("[role=list]"))
    if ([...one.children].some((child) => child.getAttribute("role") !== "listitem")) told("has what is no item", one);
  for (const one of document.querySelectorAll("a a, button a, a button, [role=img] a, [role=img] button"))
    told("is within another", one);
  for (const one of document.querySelectorAll(
    "[aria-hidden=true] a, [aria-hidden=true] button, [aria-hidden=true][href]",
  ))
    told("is hidden and takes the focus", one);
  for (const one of document.querySelectorAll("dl > :not(div, dt, dd, script, template)"))
    told("does not belong in a dl", one);
  for (const one of document.querySelectorAll("ul > :not(li), ol > :not(li)")) told("does not belong in a list", one);

  for (const [selector, wanted] of [
    ["main", 1],
    ["h1", 1],
    ["header.top", 1],
    ["nav.places", 1],
    ["[aria-current=page]", null],
  ]) {
    const count = document.querySelectorAll(selector).length;
    if (wanted === null ? count > 1 : count !== wanted) found.push(`${count} of ${selector}`);
  }
  let level = 1;
  for (const one of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
    const own = Number(one.tagName[1]);
    if (own > level + 1) told("leaves out a level", one);
    level = own;
  }
  if (!document.documentElement.lang) found.push("the page has no language");
  if (!document.title.includes("·")) found.push("the page has no title of its own");

  // Any colour as four numbers, whatever way it is written in.
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
    willReadFrequently: true,
  });
  const known = new Map();
  const colour = (text) => {
    if (!known.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      known.set(
        text,
        [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255),
      );
    }
    return known.get(text);
  };
  const over = (top, below) => [0, 1, 2].map((part) => top[part] * top[3] + below[part] * (1 - top[3])).concat(1);
  const ground = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [1, 1, 1, 1]);
  };
  const light = (parts) =>
    parts
      .slice(0, 3)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (one) => {
    const below = ground(one);
    const [high, low] = [light(over(colour(getComputedStyle(one).color), below)), light(below)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const off = one.closest(":disabled, [aria-disabled=true], .u-legend, option, noscript");
    if (own && seen(one) && !off && contrast(one) < 4.5) told(`has a contrast of ${contrast(one).toFixed(2)}`, one);
  }
  return [...new Set(found)];
};
