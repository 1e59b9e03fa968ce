import { describe, expect, it } from 'vitest'
import { around, lineageGraph, placeNodes } from './lineage-graph.ts'

const part = (name: string, ...reads: string[]) => ({ name, href: `/${name}`, reads })
const graph = lineageGraph({
  sources: [part('a'), part('b'), part('same')],
  tables: [
    part('dim', 'a'),
    part('fact', 'b', 'dim'),
    part('same', 'same'),
    part('alone', 'unknown'),
  ],
  pages: [part('page', 'fact', 'nothing')],
})

describe('lineageGraph()', () => {
  it('tells a source from a table of its name, and leaves out what it does not know', () => {
    expect(graph.nodes).toHaveLength(8)
    expect(graph.edges).toEqual([
      ['source a', 'table dim'],
      ['source b', 'table fact'],
      ['table dim', 'table fact'],
      ['source same', 'table same'],
      ['table fact', 'page page'],
    ])
  })
})

describe('around()', () => {
  it('follows the lines in both directions, and not back from there', () => {
    const ids = (...from: string[]) => around(graph, from).nodes.map(({ id }) => id)
    expect(ids('table dim')).toEqual(['source a', 'table dim', 'table fact', 'page page'])
    expect(ids('source b')).toEqual(['source b', 'table fact', 'page page'])
    expect(ids('table unknown')).toEqual([])
    expect(around(graph, ['table dim']).edges).toHaveLength(3)
  })
})

describe('placeNodes()', () => {
  it('puts a table behind those that it reads, and pages last', () => {
    const layers = Object.fromEntries(placeNodes(graph).map(({ id, layer }) => [id, layer]))
    expect(layers).toMatchObject({
      'source a': 0,
      'table dim': 1,
      'table same': 1,
      'table alone': 1,
      'table fact': 2,
      'page page': 3,
    })
  })

  it('gives every node of a layer a row of its own', () => {
    const places = placeNodes(graph).map(({ layer, row }) => `${layer} ${row}`)
    expect(new Set(places).size).toBe(places.length)
  })

  it('ends if tables read each other', () => {
    const circle = lineageGraph({
      sources: [],
      tables: [part('x', 'y'), part('y', 'x')],
      pages: [],
    })
    expect(placeNodes(circle)).toHaveLength(2)
    expect(placeNodes({ nodes: [], edges: [] })).toEqual([])
  })
})
