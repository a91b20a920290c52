/** The pointer while it is pressed: a line that moved away under it would lose its click. */

let isPressed = false;
const waiting = new Set();

function release() {
  isPressed = false;
  const due = [...waiting];
  waiting.clear();
  // After the click, which comes right after the pointer went up.
  setTimeout(() => due.forEach((action) => action()));
}

/** Do `action` now, or as soon as the pointer is up. The same function waits only once. */
export function whenReleased(action) {
  if (isPressed) waiting.add(action);
  else action();
}

/** Resolves at once, or as soon as the pointer is up. */
export const released = () => new Promise((resolve) => whenReleased(resolve));

addEventListener("pointerdown", (event) => (isPressed = event.button === 0), true);
// Some releases are never told, such as those outside of the window; these events say it as well.
for (const name of ["pointerup", "pointercancel", "dragend", "contextmenu"])
  addEventListener(name, release, true);
addEventListener("blur", release);
addEventListener("pointermove", (event) => isPressed && event.buttons === 0 && release(), true);
