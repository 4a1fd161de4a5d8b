// Requests that are answered once. Addresses are relative, so that the pages work below any prefix.

const BASE = "api/v1/";

/** Why there is no answer: the server's sentence, and its status (0: it was not reached). */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The address of a request. */
export function address(path) {
  return new URL(BASE + path, document.baseURI).href;
}

/** Ask, and give what is answered; throws Refused. */
export async function ask(path, method = "GET", body = undefined) {
  const response = await reached(path, {
    method,
    headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  });
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, sentence(text) || `${response.status} ${response.statusText}`);
  return text ? JSON.parse(text) : null;
}

async function reached(path, options) {
  try {
    return await fetch(address(path), options);
  } catch {
    throw new Refused(0, "");
  }
}

function sentence(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return "";
  }
}
