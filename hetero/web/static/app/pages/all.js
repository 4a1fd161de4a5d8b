// The pages by name. A page is {source(route): what to follow, or "" for nothing; title(route); View}.
import * as cards from "./cards.js";
import * as node from "./node.js";
import * as nodes from "./nodes.js";
import * as overview from "./overview.js";
import * as plan from "./plan.js";
import * as quotas from "./quotas.js";
import * as workload from "./workload.js";
import * as workloads from "./workloads.js";

/** The page of a route; undefined where there is none. */
export function page(route) {
  const found = { overview, nodes, cards, workloads, quotas, plan }[route.page];
  if (route.page === "nodes" && route.rest.length === 1) return node;
  if (route.page === "workloads" && route.rest.length === 2) return workload;
  return route.rest.length ? undefined : found;
}
