import { html, raw } from 'hono/html'
import type { ApiDescription } from './openapi.ts'

interface Schema {
  readonly type?: string
  readonly description?: string
  readonly format?: string
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

interface Operation {
  readonly summary: string
  readonly description?: string
  readonly responses: Readonly<Record<string, { readonly description: string }>>
}

const STYLE = raw(`
  :root {
    color-scheme: light dark;
    background: Canvas;
    color: CanvasText;
  }
  body {
    font:
      1rem/1.5 system-ui,
      sans-serif;
    max-width: 60rem;
    margin: 0 auto;
    padding: 1rem;
  }
  code {
    font:
      0.95em ui-monospace,
      monospace;
  }
  .table {
    overflow-x: auto;
  }
  table {
    border-collapse: collapse;
    width: 100%;
  }
  th,
  td {
    text-align: left;
    vertical-align: top;
    padding: 0.3rem 0.8rem 0.3rem 0;
    border-bottom: 1px solid #8888;
  }
  a:focus-visible,
  [tabindex]:focus-visible {
    outline: 3px solid;
  }
`)

/** Renders the API's description as a page without a script, and with nothing from other sites. */
export function docsPage(api: ApiDescription) {
  const paths = Object.entries(api.paths) as [string, { get: Operation }][]
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${api.info.title}</title>
        <link rel="icon" href="data:," />
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <main>
          <h1>${api.info.title}</h1>
          <p>${api.info.description}</p>
          <p>
            <a href="/openapi.json">The same as an OpenAPI 3.1 document</a>, version
            ${api.info.version}
          </p>
          <h2>Login</h2>
          <p>${api.components.securitySchemes.bearer.description}</p>
          <p><code>curl -H "Authorization: Bearer $TOKEN" …/payments/next5</code></p>
          ${paths.map(([path, { get }]) => operation(path, get))}
          <h2>What payments look like</h2>
          ${fields('Fields of an answer', api.components.schemas.PaymentsAnswer)}
          <h2>What errors look like</h2>
          ${fields('Fields of a problem', api.components.schemas.Problem)}
        </main>
      </body>
    </html>`
}

function operation(path: string, { summary, description, responses }: Operation) {
  return html`<h2><code>GET ${path}</code></h2>
    <p>${summary}. ${description ?? ''}</p>
    ${table(
      `Answers of ${path}`,
      ['Status', 'Meaning'],
      Object.entries(responses).map(([status, response]) => [status, response.description]),
    )}`
}

function fields(label: string, schema: Schema) {
  const rows = rowsOf(schema, '').map(({ name, field }) => [
    name,
    [field.type, field.format].filter(Boolean).join(', '),
    field.description ?? '',
    field.examples === undefined ? '' : JSON.stringify(field.examples[0]),
  ])
  return table(label, ['Field', 'Type', 'Meaning', 'Example'], rows)
}

/** Every field of a schema by its path, such as `payments[].counterparty.name`. */
function rowsOf(schema: Schema, place: string): { name: string; field: Schema }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const own = place + name
    const inner =
      field.items === undefined ? rowsOf(field, `${own}.`) : rowsOf(field.items, `${own}[].`)
    return [{ name: own, field }, ...inner]
  })
}

function table(label: string, heads: readonly string[], rows: readonly (readonly string[])[]) {
  return html`<div class="table" tabindex="0" role="region" aria-label="${label}">
    <table>
      <thead>
        <tr>
          ${heads.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell) => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}
