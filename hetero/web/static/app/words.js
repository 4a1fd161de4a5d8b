// The words of the page, by key, in two languages. What servers say (reasons, problems) is English and marked so.
import en from "./words/en.js";
import zh from "./words/zh-cn.js";
import { change, remember, remembered } from "./state.js";

const TABLES = { en, "zh-CN": zh };
let current = chosen();

/** The languages, each by its own name. */
export const LANGUAGES = { en: "English", "zh-CN": "简体中文" };

function chosen() {
  const kept = remembered("language");
  if (kept in TABLES) return kept;
  const wished = (navigator.languages || [navigator.language]).find((one) => /^(en|zh)\b/i.test(one));
  return wished && /^zh/i.test(wished) ? "zh-CN" : "en";
}

/** The language of the page, as a tag. */
export function language() {
  return current;
}

/** Speak another language from now on. */
export function speak(tag) {
  current = tag in TABLES ? tag : "en";
  remember("language", current);
  document.documentElement.lang = current;
  change({});
}

/** The text of a key; `{name}` stands for a parameter, and `n` chooses between forms of number. */
export function t(key, parameters = {}) {
  const entry = TABLES[current][key] ?? en[key] ?? key;
  const text = typeof entry === "string" ? entry : (entry[form(parameters.n)] ?? entry.other);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in parameters ? shown(parameters[name]) : whole));
}

const rules = { en: new Intl.PluralRules("en"), "zh-CN": new Intl.PluralRules("zh-CN") };

function form(n) {
  return rules[current].select(n);
}

function shown(value) {
  return typeof value === "number" ? value.toLocaleString(current) : String(value);
}
