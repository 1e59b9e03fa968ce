import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
}

const root = new URL('..', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
  read('package.json'),
) as Manifest
const installed = { ...dependencies, ...devDependencies, ...optionalDependencies }
const [listed = '', byHand = ''] = read('docs/dependencies.md').split('## Written by hand')

/** Names between backticks in the given column of every table. */
function namesIn(text: string, column: number): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') || line.startsWith('|  '))
    .flatMap((line) => [...(line.split('|')[column] ?? '').matchAll(/`(@?[\w./-]+)`/g)])
    .map(([, name = '']) => name)
}

it('docs/dependencies.md lists every package that package.json names, and no other', () => {
  expect(namesIn(listed, 1).toSorted()).toEqual(Object.keys(installed).toSorted())
})

it('every dependency is pinned exactly', () => {
  const loose = Object.entries(installed).filter(([, version]) => !/^\d+\.\d+\.\d+/.test(version))
  expect(loose).toEqual([])
})

it('docs/dependencies.md explains a pin for the version that is pinned', () => {
  expect(listed).toContain(`pinned to ${installed['@duckdb/node-api']}`)
  expect(listed).toContain(`The CLI is ${installed['aws-cdk']} exactly`)
})

it('docs/dependencies.md lists at run time every package in the bundle of the command line', () => {
  const [, atRunTime = ''] = listed.split(/^## /m)
  const licences = read('dist/bundle/licenses.txt')
  const bundled = [...licences.matchAll(/^(@?[\w./-]+) \d+\.\d+\.\d+\S* \(/gm)].map(
    ([, name = '']) => name,
  )
  expect(bundled).toContain('commander')
  const direct = bundled.filter((name) => Object.hasOwn(installed, name))
  const namedThere = namesIn(atRunTime, 1)
  expect(direct.filter((name) => !namedThere.includes(name))).toEqual([])
})

it('no library that docs/dependencies.md says was tried and left out is installed', () => {
  const tried = namesIn(byHand, 2)
  expect(tried.length).toBeGreaterThan(20)
  expect(tried.filter((name) => Object.hasOwn(installed, name))).toEqual([])
})
