/** Where in the page one is, kept in the URL's hash: `#/users/u-1?event=12` is a path and a query. */

import { useEffect, useState } from "./dom.js";

function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return {
    path: path.split("/").filter(Boolean).map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** A hand-written hash may hold a stray percent sign. */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The link to a path and a query; what is null, undefined or empty is left out. */
export function href(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, value);
  }
  const search = parameters.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

export function route() {
  return parse(location.hash);
}

/** The link to where one is, with parts of the query changed. */
export function hrefWith(changes) {
  const { path, query } = route();
  return href(path, { ...query, ...changes });
}

export function go(link) {
  location.hash = link;
}

/** Go without a new entry in the history, as while typing into a filter. */
export function replace(link) {
  history.replaceState(null, "", link);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [current, setCurrent] = useState(route);
  useEffect(() => {
    const update = () => setCurrent(route());
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return current;
}
