import { html } from 'hono/html'
import type { Markup } from './markup.ts'
import type { DescribedParameter, Operation } from './api-operation.ts'

/**
 * A form that sends a request and shows its answer below. The browser's script makes it visible and
 * sends it; without a script the page shows the example instead. A streaming operation has no form.
 */
export function renderTry(path: string, { operationId, parameters, responses }: Operation): Markup {
  const types = Object.keys(responses[200]?.content ?? {})
  if (types.includes('text/event-stream')) return html``
  const fields = parameters.filter((each) => each.in !== 'header')
  return html`<form class="toolbar try" data-try="${path}" hidden>
    ${fields.map((field) => renderField(field))}
    ${
      types.length < 2
        ? html`<input type="hidden" name="accept" value="${types[0] ?? '*/*'}" />`
        : html`<label class="field"
            ><span>Accept</span
            ><select name="accept">
              ${types.map((type) => html`<option value="${type}">${type}</option>`)}
            </select></label
          >`
    }
    <button class="button" type="submit">Try it</button>
    <pre
      class="code"
      tabindex="0"
      role="region"
      aria-live="polite"
      aria-label="Answer to ${operationId}"
      hidden
    ></pre>
  </form>`
}

function renderField({ name, in: place, schema, example }: DescribedParameter): Markup {
  const field = `${place}.${name}`
  const label = html`<span>${name}</span>`
  if (schema.enum !== undefined) {
    return html`<label class="field"
      >${label}<select name="${field}">
        <option value="">any</option>
        ${schema.enum.map((value) => html`<option value="${String(value)}">${String(value)}</option>`)}
      </select></label
    >`
  }
  const given = place === 'path' ? String(example) : ''
  return html`<label class="field"
    >${label}<input
      name="${field}"
      value="${given}"
      placeholder="${String(example)}"
      autocomplete="off"
  /></label>`
}
