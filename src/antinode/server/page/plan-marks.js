/** What something seen is beside the tracking plan, by word and colour. */

import { html } from "./dom.js";
import { number, own, Prose } from "./format.js";

const MARKS = {
  new: ["warning", "new", "seen, and not in the plan"],
  missing: ["warning", "missing", "in the plan, and never seen"],
  mistyped: ["error", "mistyped", "of another type than planned"],
  invalid: ["error", "invalid", "not as planned in its value, or within"],
  incomplete: ["error", "incomplete", "required, and absent in some events"],
  retired: ["error", "retired", "retired in the plan, and still seen"],
  deviating: ["error", "deviating", "some of its properties are not as planned"],
};

/** Whether it is not as planned; false where no plan says anything of it. */
export const deviates = (seen) => seen.plan != null && seen.plan.mark !== "planned";

/** A word for what is not as planned; nothing for the rest. */
export function Mark({ seen }) {
  const [tone, word, meaning] = own(MARKS, seen.plan?.mark) ?? [];
  return word && html`<span class=${`tag tone-${tone}`} title=${meaning} data-testid="mark">${word}</span>`;
}

/** What was not as planned, in words, each with some of the events. */
export function Deviations({ deviations }) {
  return deviations.map(
    (each) => html`<p class="schema-deviation" data-testid="deviation" key=${each.code + each.path}>
      ${number(each.count)}× <${Prose} text=${each.advice} />
      ${
        each.places.length > 0 &&
        html`${" "}<span class="faint">
            ${each.places.map(
              (seq, place) => html`${place > 0 && ", "}<a href=${`#/live?event=${seq}`}>event ${seq}</a>`,
            )}
          </span>`
      }
    </p>`,
  );
}
