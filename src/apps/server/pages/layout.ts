import { html, raw } from 'hono/html'
import type { Freshness } from '../../../platform/presentation/freshness.ts'
import type { Project } from '../../../platform/project/project.ts'
import { formatMomentUtc } from '../../format.ts'
import type { Markup } from '../markup.ts'
import { assetPath } from './assets.ts'
import { overviewPath } from './tables/address.ts'

/** What a page consists of. */
export interface PageOptions {
  /** The project whose pages the navigation leads to. */
  readonly project: Pick<Project, 'presentation'>
  /** What the page is, in a word or two: its heading and the title of the window. */
  readonly title: string
  /** The address of the page's entry in the navigation. */
  readonly path: string
  /** Undefined if it is not known, because nothing is loaded or the warehouse cannot be read. */
  readonly freshness: Freshness | undefined
  /** One sentence beneath the heading. */
  readonly summary?: string | Markup
  /** Shown between the heading and the body. */
  readonly filters?: Markup
  readonly body: Markup
  /** Assets with scripts that only this page needs. */
  readonly scripts?: readonly string[]
}

interface Entry {
  readonly path: string
  readonly title: string
}

const OPERATIONS: readonly Entry[] = [
  { path: '/lineage', title: 'Lineage' },
  { path: '/ask', title: 'Ask' },
  { path: '/my', title: 'My page' },
  { path: '/pipeline', title: 'Pipeline' },
  { path: '/quarantine', title: 'Quarantine' },
  { path: '/catalogue', title: 'Catalogue' },
  { path: '/docs', title: 'API' },
]

/** A wave above a tide mark, in the colour of the text. */
const MARK = raw(
  '<svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path d="M2 9c3.3 0 3.3 3 6.7 3s3.3-3 6.6-3 3.4 3 6.7 3" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/><path d="M2 17h20" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-dasharray="0.1 3.6"/></svg>',
)
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Cpath d='M2 9c3.3 0 3.3 3 6.7 3s3.3-3 6.6-3 3.4 3 6.7 3M2 17h20' fill='none' stroke='%230e6a83' stroke-width='2.4' stroke-linecap='round'/%3E%3C/svg%3E"

/**
 * Renders a whole page: a skip link, the navigation, how fresh the data is, and `<main>`, which the
 * browser's script replaces when another batch is loaded. Everything works without a script.
 */
export function renderPage({
  project,
  title,
  path,
  freshness,
  summary,
  filters,
  body,
  scripts = [],
}: PageOptions): Markup {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Tidemark</title>
        <link rel="icon" href="${ICON}" />
        <link
          rel="preload"
          href="${assetPath('inter.woff2')}"
          as="font"
          type="font/woff2"
          crossorigin
        />
        <link rel="stylesheet" href="${assetPath('dashboard.css')}" />
        ${['dashboard.js', ...scripts].map(
          (name) => html`<script type="module" src="${assetPath(name)}"></script>`,
        )}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top">
          <div class="top-line">
            <a class="brand" href="/">${MARK}<span>Tidemark</span></a>
            ${renderFreshness(freshness)}
          </div>
          ${renderNavigation(project, path)}
        </header>
        <main id="main" tabindex="-1" data-state="${stateOf(freshness)}">
          <div class="title">
            <h1>${title}</h1>
            ${summary === undefined ? '' : html`<p class="summary">${summary}</p>`}
          </div>
          ${filters ?? ''} ${body}
        </main>
        <p class="news" role="status" id="news"></p>
      </body>
    </html>`
}

/**
 * The links to all pages: in a line, or, in a narrow window, in a menu that names the current page.
 * The style sheet shows one of the two.
 */
function renderNavigation(project: PageOptions['project'], path: string): Markup {
  const business: readonly Entry[] = project.presentation?.pages ?? []
  const overview = overviewPath(project)
  const operations: readonly Entry[] = [
    ...(project.presentation?.facts === undefined ? [] : [project.presentation.facts]),
    { path: overview, title: overview === '/' ? 'Overview' : 'Tables' },
    ...OPERATIONS,
  ]
  const lists = html`${
      business.length === 0
        ? ''
        : html`<ul>
            ${business.map((entry) => renderEntry(entry, path))}
          </ul>`
    }
    <ul>
      ${operations.map((entry) => renderEntry(entry, path))}
    </ul>`
  const current = [...business, ...operations].find((entry) => entry.path === path)
  return html`<nav aria-label="Pages">
    <details class="menu">
      <summary>${current === undefined ? 'Pages' : current.title}</summary>
      <div class="entries">${lists}</div>
    </details>
    <div class="entries in-line">${lists}</div>
  </nav>`
}

function renderEntry({ path, title }: Entry, current: string): Markup {
  return path === current
    ? html`<li><a href="${path}" aria-current="page">${title}</a></li>`
    : html`<li><a href="${path}">${title}</a></li>`
}

/** The moment up to which the data is proven complete, with a mark, a word and a colour. */
function renderFreshness(freshness: Freshness | undefined): Markup {
  if (freshness === undefined) {
    return html`<p class="freshness" id="freshness">
      <span class="sign" aria-hidden="true">–</span>
      <span
        ><span class="unknown">Data as of: not known here</span> <span class="state"></span
      ></span>
    </p>`
  }
  const { completeTo, isFresh, lagMs, promiseMs } = freshness
  return html`<p
    class="freshness ${isFresh ? 'ok' : 'bad'}"
    id="freshness"
    data-complete-to="${completeTo}"
    data-lag-ms="${lagMs}"
    data-promise-ms="${promiseMs}"
  >
    <span class="sign" aria-hidden="true">${isFresh ? '✓' : '✕'}</span>
    <span
      >Data as of <time datetime="${completeTo}">${formatMomentUtc(completeTo)}</time>
      <span class="state">${isFresh ? 'fresh' : 'late'}</span></span
    >
  </p>`
}

/** The batch that the page shows, so that the script can tell whether there is a newer one. */
function stateOf(freshness: Freshness | undefined): string {
  return freshness === undefined ? '' : `${freshness.generation} ${freshness.batch}`
}
