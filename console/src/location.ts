/** What is looked at, in the hash of the address, so that it can be shared and kept as a bookmark. */
import { DEFAULT_SORT, isColumn, type Sort } from "./columns";
import type { Choice } from "./filter";
import { OPERATOR_STATES, SEVERITIES } from "./protocol";

export type List = "open" | "closed";

export interface Place {
  choice: Choice;
  sort: Sort;
  list: List;
  /** The alert whose details are open. */
  alert: string | null;
}

/** Read a hash; what is not understood is left out. */
export function readPlace(hash: string): Place {
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  const [column = "", way] = (parameters.get("sort") ?? "").split(/,(?=[^,]*$)/);
  const alert = parameters.get("alert");
  return {
    choice: {
      query: parameters.get("q") ?? "",
      environments: parameters.getAll("environment"),
      states: OPERATOR_STATES.filter((state) => parameters.getAll("state").includes(state)),
      severities: SEVERITIES.filter((severity) => parameters.getAll("severity").includes(severity)),
    },
    sort: isColumn(column) ? { column, descending: way === "desc" } : DEFAULT_SORT,
    list: parameters.get("list") === "closed" ? "closed" : "open",
    alert: alert && /^[0-9a-f]{32}$/.test(alert) ? alert : null,
  };
}

/** Write it; the usual is left out, so that the address stays short. */
export function writePlace(place: Place): string {
  const parameters = new URLSearchParams();
  const { choice, sort } = place;
  if (place.list !== "open") parameters.set("list", place.list);
  if (choice.query.trim()) parameters.set("q", choice.query.trim());
  for (const environment of choice.environments) parameters.append("environment", environment);
  for (const state of choice.states) parameters.append("state", state);
  for (const severity of choice.severities) parameters.append("severity", severity);
  if (sort.column !== DEFAULT_SORT.column || sort.descending !== DEFAULT_SORT.descending)
    parameters.set("sort", `${sort.column},${sort.descending ? "desc" : "asc"}`);
  if (place.alert) parameters.set("alert", place.alert);
  const text = parameters.toString();
  return text ? `#${text}` : "";
}
