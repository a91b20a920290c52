/** Light or dark: the system's choice, unless the reader made another. */

const KEY = "antinode.theme";
const CHOICES = ["system", "light", "dark"];

/** Storage may be switched off; the choice then lasts as long as the page. */
function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function apply(choice) {
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

let current = CHOICES.includes(stored()) ? stored() : "system";
const listeners = new Set();
apply(current);

export function theme() {
  return current;
}

/** Go on to the next of system, light and dark. */
export function nextTheme() {
  current = CHOICES[(CHOICES.indexOf(current) + 1) % CHOICES.length];
  apply(current);
  try {
    localStorage.setItem(KEY, current);
  } catch {
    // Kept for this page only.
  }
  for (const listener of listeners) listener();
}

/** Call `listener` whenever the colours change, by choice or by the system; gives back how to stop. */
export function onTheme(listener) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  listeners.add(listener);
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
}
