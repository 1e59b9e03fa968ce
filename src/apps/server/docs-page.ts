import type { Context } from 'hono'
import { html } from 'hono/html'
import type { Freshness } from '../../platform/presentation/freshness.ts'
import type { ServerEnv } from './access.ts'
import { schemaFields, type Schema } from './json-schema.ts'
import type { Markup } from './markup.ts'
import type { ApiDescription } from './openapi.ts'
import type { DescribedAnswer, Operation } from './api-operation.ts'
import { type PageOptions, renderPage } from './pages/layout.ts'
import { renderTry } from './try-form.ts'

/** What the page about the API is rendered from. */
export interface DocsOptions {
  readonly project: PageOptions['project']
  readonly api: ApiDescription
  readonly freshness: () => Promise<Freshness>
}

/**
 * Answers with the API's description as a page of the dashboard: each operation with its parameters,
 * its answers, an example and, where there is a script, a form to try it. It needs no warehouse.
 */
export async function answerDocs(
  c: Context<ServerEnv>,
  { project, api, freshness }: DocsOptions,
): Promise<Response> {
  const page = renderPage({
    project,
    title: 'API',
    path: '/docs',
    freshness: await freshness().catch(() => undefined),
    summary: withCode(api.info.description),
    body: renderApi(api),
  })
  return c.html(page, 200, { 'cache-control': 'private, no-cache' })
}

function renderApi(api: ApiDescription): Markup {
  const operations = Object.entries(api.paths)
  const [questions, others] = [true, false].map((isQuestion) =>
    operations.filter(([, { get }]) => get.tags.includes('questions') === isQuestion),
  )
  const { schemas, securitySchemes } = api.components
  return html`<div class="panels">
    <section class="panel wide" aria-labelledby="h-start">
      <h2 id="h-start">How to ask</h2>
      <p class="note">${withCode(securitySchemes.bearer.description)}</p>
      <p class="note">
        In the examples, <code>$TIDEMARK</code> is the address of this server and
        <code>$TOKEN</code> a token. <a href="/openapi.json">The OpenAPI 3.1 document</a>, version
        ${api.info.version}, says the same as this page.
      </p>
    </section>
    ${others?.map(([path, { get }]) => renderOperation(path, get))}
    ${questions === undefined || questions.length === 0 ? '' : renderQuestions(questions)}
    ${Object.entries(schemas).map(([name, schema]) => renderSchema(name, schema))}
  </div>`
}

function renderOperation(path: string, operation: Operation): Markup {
  const { operationId, summary, description } = operation
  return html`<section class="panel wide" aria-labelledby="h-${operationId}">
    <h2 id="h-${operationId}">${summary}</h2>
    <p class="note"><code>GET ${path}</code> ${withCode(description ?? '')}</p>
    ${renderParameters(operation)} ${renderExample(path, operation)} ${renderTry(path, operation)}
    <div class="links">
      <details id="a-${operationId}">
        <summary>Answers</summary>
        ${renderTable(
          `Answers of ${path}`,
          ['Status', 'Meaning', 'Headers'],
          Object.entries(operation.responses).map(([status, response]) => [
            status,
            response.description,
            Object.keys(response.headers ?? {}).join(', '),
          ]),
        )}
      </details>
    </div>
  </section>`
}

/**
 * The questions as files: folded, because they differ only in their filters. Files for Excel differ
 * only in their ending.
 */
function renderQuestions(questions: readonly (readonly [string, { get: Operation }])[]): Markup {
  const asCsv = questions.filter(([path]) => path.endsWith('.csv'))
  return html`<section class="panel wide" aria-labelledby="h-csv">
    <h2 id="h-csv">Answers to the questions, as files</h2>
    <p class="note">
      Each file takes the filters of its question. Unfold a question to see and try them. The same
      address with <code>.xlsx</code> in place of <code>.csv</code> answers with a workbook for
      Excel.
    </p>
    ${asCsv.map(
      ([path, { get }]) =>
        html`<details id="q-${get.operationId}">
          <summary>${get.summary} <code>${path}</code></summary>
          <p class="note">${withCode(get.description ?? '')}</p>
          ${renderParameters(get)} ${renderExample(path, get)} ${renderTry(path, get)}
        </details>`,
    )}
  </section>`
}

function renderParameters({ operationId, parameters }: Operation): Markup {
  if (parameters.length === 0) return html`<p class="note">It takes no parameters.</p>`
  return renderTable(
    `Parameters of ${operationId}`,
    ['Parameter', 'In', 'Values', 'Meaning', 'Example'],
    parameters.map(({ name, in: place, schema, description, example }) => [
      name,
      place,
      valuesOf(schema),
      description,
      String(example),
    ]),
  )
}

/** What a value may be, in a few words. */
function valuesOf(schema: Schema): string {
  const { type = '', format, anyOf, enum: choices, minimum, maximum, default: standard } = schema
  if (choices !== undefined) return choices.join(' or ')
  if (anyOf !== undefined) return anyOf.map((each) => each.format ?? each.type).join(' or ')
  const range = minimum === undefined ? '' : ` from ${minimum} to ${maximum}`
  const otherwise = standard === undefined ? '' : `, ${JSON.stringify(standard)} if absent`
  return `${format ?? type}${range}${otherwise}`
}

/** A request for the command line, and what is answered. */
function renderExample(path: string, operation: Operation): Markup {
  const { operationId, parameters, responses } = operation
  const inPath = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    String(parameters.find((each) => each.name === name)?.example ?? ''),
  )
  const query = new URLSearchParams(
    parameters
      .filter((each) => each.in === 'query')
      .slice(0, 2)
      .map(({ name, example }): [string, string] => [name, String(example)]),
  ).toString()
  const types = typesOf(responses[200])
  const accept = types.length > 1 ? ` -H "Accept: ${types[0]}"` : ''
  const address = `$TIDEMARK${inPath}${query === '' ? '' : `?${query}`}`
  const example = Object.values(responses[200]?.content ?? {})[0]?.example
  const answer = typeof example === 'string' ? example : JSON.stringify(example, null, 2)
  return html`<pre
    class="code"
    tabindex="0"
    role="region"
    aria-label="Example of ${operationId}"
  ><code>curl -H "Authorization: Bearer $TOKEN"${accept} "${address}"${
    example === undefined ? '' : `\n\n${answer}`
  }</code></pre>`
}

/** The types that an answer can have. */
function typesOf(answer: DescribedAnswer | undefined): string[] {
  return Object.keys(answer?.content ?? {})
}

function renderSchema(name: string, schema: Schema): Markup {
  return html`<section class="panel wide" aria-labelledby="h-${name}">
    <h2 id="h-${name}">What ${name} holds</h2>
    <p class="note">${withCode(schema.description ?? '')}</p>
    ${renderTable(
      `Fields of ${name}`,
      ['Field', 'Type', 'Meaning', 'Example'],
      schemaFields(schema).map(({ path, schema: field }) => [
        path,
        [field.type, field.format].filter(Boolean).join(', '),
        field.description ?? '',
        field.examples === undefined ? '' : JSON.stringify(field.examples[0]),
      ]),
    )}
  </section>`
}

/** A text in which backticks enclose code, as OpenAPI's descriptions may. */
function withCode(text: string): Markup {
  return html`${text
    .split('`')
    .map((part, place) => (place % 2 === 1 ? html`<code>${part}</code>` : part))}`
}

function renderTable(
  label: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): Markup {
  return html`<div class="table-wrap" tabindex="0" role="region" aria-label="${label}">
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
              ${row.map((cell) => html`<td>${withCode(cell)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}
