/** A thing in the picture of where data comes from and where it goes. */
export interface LineageNode {
  /** Unique among all nodes. */
  readonly id: string
  readonly kind: 'source' | 'table' | 'page'
  readonly name: string
  readonly href: string
  readonly description: string | undefined
}

/** Nodes, and pairs of the ids of nodes between which data flows. */
export interface LineageGraph {
  readonly nodes: readonly LineageNode[]
  readonly edges: readonly (readonly [from: string, to: string])[]
}

/** What a graph is made from. */
export interface LineageParts {
  readonly sources: readonly Part[]
  /** Tables of the warehouse, each with the sources and tables that it reads. */
  readonly tables: readonly (Part & { readonly reads: readonly string[] })[]
  /** Pages, each with the tables that it reads. */
  readonly pages: readonly (Part & { readonly reads: readonly string[] })[]
}

interface Part {
  readonly name: string
  readonly href: string
  readonly description?: string | undefined
}

/**
 * The graph of source tables, tables of the warehouse and pages. A name that a table reads is a source
 * if there is one of this name, and otherwise another table. Pure.
 */
export function lineageGraph({ sources, tables, pages }: LineageParts): LineageGraph {
  const node =
    (kind: LineageNode['kind']) =>
    ({ name, href, description }: Part): LineageNode => ({
      id: `${kind} ${name}`,
      kind,
      name,
      href,
      description,
    })
  const nodes = [
    ...sources.map(node('source')),
    ...tables.map(node('table')),
    ...pages.map(node('page')),
  ]
  const known = new Set(nodes.map(({ id }) => id))
  const edges = [
    ...tables.flatMap(({ name, reads }) =>
      reads.map((from): [string, string] => [
        known.has(`source ${from}`) ? `source ${from}` : `table ${from}`,
        `table ${name}`,
      ]),
    ),
    ...pages.flatMap(({ name, reads }) =>
      reads.map((from): [string, string] => [`table ${from}`, `page ${name}`]),
    ),
  ]
  return { nodes, edges: edges.filter(([from, to]) => known.has(from) && from !== to) }
}

/** The part of a graph from which data flows to a node, and to which it flows from there. Pure. */
export function around(graph: LineageGraph, ids: readonly string[]): LineageGraph {
  const reach = (forwards: boolean): Set<string> => {
    const found = new Set(ids)
    for (const id of found) {
      for (const [from, to] of graph.edges) {
        if ((forwards ? from : to) === id) found.add(forwards ? to : from)
      }
    }
    return found
  }
  const [before, after] = [reach(false), reach(true)]
  const within = (set: ReadonlySet<string>) => (edge: readonly [string, string]) =>
    set.has(edge[0]) && set.has(edge[1])
  return {
    nodes: graph.nodes.filter(({ id }) => before.has(id) || after.has(id)),
    edges: graph.edges.filter((edge) => within(before)(edge) || within(after)(edge)),
  }
}

/** A node with its place in the picture. */
export interface PlacedNode extends LineageNode {
  readonly layer: number
  /** Its place from the top of its layer. */
  readonly row: number
}

/**
 * The nodes in layers: sources, tables (each behind the tables that it reads), pages. Within a layer, a
 * node stands near what it is made from, so that few lines cross. Pure.
 */
export function placeNodes({ nodes, edges }: LineageGraph): PlacedNode[] {
  const layers = layersOf({ nodes, edges })
  const rows = new Map<string, number>()
  const placed: PlacedNode[] = []
  for (let layer = 0; layer <= Math.max(0, ...layers.values()); layer++) {
    const own = nodes.filter(({ id }) => layers.get(id) === layer)
    const centre = (id: string, index: number): number => {
      const before = edges.flatMap(([from, to]) => (to === id ? (rows.get(from) ?? []) : []))
      if (before.length === 0) return index
      return before.reduce((sum, row) => sum + row, 0) / before.length
    }
    const sorted = own
      .map((node, index) => ({ node, at: centre(node.id, index) }))
      .toSorted((a, b) => a.at - b.at)
    for (const [row, { node }] of sorted.entries()) {
      rows.set(node.id, row)
      placed.push({ ...node, layer, row })
    }
  }
  return placed
}

function layersOf({ nodes, edges }: LineageGraph): Map<string, number> {
  const layers = new Map(nodes.map(({ id, kind }) => [id, kind === 'source' ? 0 : 1]))
  // Tables that read each other in a circle would never end.
  for (let round = 0; round < nodes.length; round++) {
    let isSettled = true
    for (const [from, to] of edges) {
      const wanted = (layers.get(from) ?? 0) + 1
      if ((layers.get(to) ?? 0) >= wanted || wanted > nodes.length) continue
      layers.set(to, wanted)
      isSettled = false
    }
    if (isSettled) break
  }
  const last = Math.max(
    1,
    ...nodes.flatMap(({ id, kind }) => (kind === 'page' ? [] : [layers.get(id) ?? 0])),
  )
  for (const { id, kind } of nodes) if (kind === 'page') layers.set(id, last + 1)
  return layers
}
