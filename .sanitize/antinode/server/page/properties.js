/** Properties of users and groups as a table: what each is, and what set it. */

import { html } from "./dom.js";
import { ago, dateTime, Json, own } from "./format.js";
import { EventType } from "./parts.js";
import { hrefWith } from "./router.js";

function Value({ value }) {
  if (value !== null && typeof value === "object" && Object.keys(value).length > 0)
    return html`<${Json} value=${value} />`;
  const kind = value === null ? "null" : typeof value;
  if (kind === "object") return html`<span class="json-mark">${Array.isArray(value) ? "[]" : "{}"}</span>`;
  return html`<span class=${`json-${kind}`}
    >${kind === "string" ? value : (value?.source ?? String(value))}</span
  >`;
}

function SetBy({ setting, now }) {
  if (!setting) return html`<span class="faint">not known any more</span>`;
  return html`
    <a href=${hrefWith({ event: setting.seq })} data-testid="set-by" title=${dateTime(setting.at)}>
      <${EventType} type=${setting.event_type} />
    </a>
    ${" "}<span class="faint">${ago(setting.at, now)}</span>
  `;
}

/** `setBy` (name -> Setting) adds a column of what gave each property its value. */
export function Properties({ properties, setBy, now, label, testid }) {
  const names = Object.keys(properties).sort((a, b) => a.localeCompare(b));
  if (names.length === 0) return html`<p class="faint" data-testid=${testid}>None.</p>`;
  return html`<table class="properties" aria-label=${label} data-testid=${testid}>
    <thead>
      <tr>
        <th scope="col">Property</th>
        <th scope="col">Value</th>
        ${setBy && html`<th scope="col">Set by</th>`}
      </tr>
    </thead>
    <tbody>
      ${names.map(
        (name) =>
          html`<tr key=${name} data-testid="property-row">
            <th scope="row">${name}</th>
            <td class="value"><${Value} value=${properties[name]} /></td>
            ${setBy && html`<td class="set-by"><${SetBy} setting=${own(setBy, name)} now=${now} /></td>`}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
