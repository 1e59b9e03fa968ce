import { html } from 'hono/html'
import { shorten } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { renderTable } from '../operations/table.ts'
import {
  type LineageGraph,
  type LineageNode,
  type PlacedNode,
  placeNodes,
} from './lineage-graph.ts'

const NODE = { width: 230, height: 28 }
const STEP = { across: 340, down: 38 }
const MAX_NAME_CHARS = 30
/** Room for the names of the layers. */
const HEAD = 26
/** With more nodes, a picture says less than the table below it. */
export const MAX_NODES = 240

const KINDS: Readonly<Record<LineageNode['kind'], string>> = {
  source: 'source table',
  table: 'table',
  page: 'page',
}

const HEADS: Readonly<Record<LineageNode['kind'], string>> = {
  source: 'Source tables',
  table: 'Tables',
  page: 'Pages',
}

/** A picture of where data comes from and goes to, and the same as a table. */
export function renderLineage(
  graph: LineageGraph,
  { focus }: { readonly focus: string | undefined },
): Markup {
  return html`<section class="panel wide" aria-labelledby="h-picture">
      <h2 id="h-picture">
        ${focus === undefined ? 'From the source to the pages' : `Around ${focus}`}
      </h2>
      ${focus === undefined ? '' : html`<p class="links"><a href="/lineage">Show everything</a></p>`}
      ${
        graph.nodes.length > MAX_NODES
          ? html`<p class="empty">
              There are too many tables for one picture. Choose one below to see what is around it.
            </p>`
          : graph.nodes.length === 0
            ? html`<p class="empty">Nothing was captured yet. Next: <code>tidemark run</code></p>`
            : renderPicture(graph)
      }
    </section>
    ${renderText(graph)}`
}

function renderPicture(graph: LineageGraph): Markup {
  const placed = placeNodes(graph)
  const places = new Map(placed.map((node) => [node.id, node]))
  const width = Math.max(...placed.map(({ layer }) => layer)) * STEP.across + NODE.width + 2
  const height = (Math.max(...placed.map(({ row }) => row)) + 1) * STEP.down + HEAD
  return html`<div
    class="table-wrap"
    tabindex="0"
    role="region"
    aria-label="Picture of the lineage"
  >
    <svg
      class="lineage"
      width="${width}"
      height="${height}"
      viewBox="0 0 ${width} ${height}"
      role="group"
      aria-label="Lineage: each line leads from what is read to what is made from it. The table below says the same."
    >
      <g aria-hidden="true">
        ${renderHeads(placed)}
        ${graph.edges.map(([from, to]) => {
          const [start, end] = [places.get(from), places.get(to)]
          return start === undefined || end === undefined ? '' : renderEdge(start, end)
        })}
      </g>
      ${placed.map(renderNode)}
    </svg>
  </div>`
}

/** What the nodes of each layer are, above it. */
function renderHeads(placed: readonly PlacedNode[]): Markup {
  const heads = new Map(placed.map(({ layer, kind }) => [layer, kind]))
  return html`${[...heads].map(
    ([layer, kind]) =>
      html`<text class="layer" x="${left({ layer }) + 1}" y="16">${HEADS[kind]}</text>`,
  )}`
}

function left({ layer }: Pick<PlacedNode, 'layer'>): number {
  return layer * STEP.across + 1
}

function top({ row }: PlacedNode): number {
  return HEAD + row * STEP.down + (STEP.down - NODE.height) / 2
}

function renderEdge(from: PlacedNode, to: PlacedNode): Markup {
  const [x1, y1] = [left(from) + NODE.width, top(from) + NODE.height / 2]
  const [x2, y2] = [left(to), top(to) + NODE.height / 2]
  const middle = (x1 + x2) / 2
  return html`<path d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"></path>`
}

function renderNode(node: PlacedNode): Markup {
  const { kind, name, href, description } = node
  const [x, y] = [left(node), top(node)]
  const about = `${KINDS[kind]} ${name}${description === undefined ? '' : `: ${description}`}`
  return html`<a href="${href}" class="${kind}" aria-label="${about}">
    <title>${about}</title>
    <rect x="${x}" y="${y}" width="${NODE.width}" height="${NODE.height}" rx="4"></rect>
    <text x="${x + 10}" y="${y + 18.5}">${shorten(name, MAX_NAME_CHARS)}</text>
  </a>`
}

/** What each thing is made from and what reads it, as a table. */
function renderText({ nodes, edges }: LineageGraph): Markup {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const beside = (id: string, forwards: boolean): LineageNode[] =>
    edges.flatMap(([from, to]) =>
      (forwards ? from : to) === id ? (byId.get(forwards ? to : from) ?? []) : [],
    )
  const links = (some: readonly LineageNode[]): Markup =>
    html`${some.map(
      ({ name, href }, index) => html`${index > 0 ? ', ' : ''}<a href="${href}">${name}</a>`,
    )}`
  return html`<section class="panel wide" aria-labelledby="h-text">
    <h2 id="h-text">The same as a table</h2>
    ${renderTable({
      label: 'Lineage',
      header: ['Name', 'Kind', 'Made from', 'Read by', 'Description', 'Neighbours'],
      rows: nodes.map((node) => [
        links([node]),
        KINDS[node.kind],
        links(beside(node.id, false)),
        links(beside(node.id, true)),
        node.description ?? '',
        node.kind === 'page'
          ? ''
          : html`<a href="/lineage?${node.kind}=${encodeURIComponent(node.name)}"
              >Show<span class="visually-hidden"> what is around ${node.name}</span></a
            >`,
      ]),
    })}
  </section>`
}
