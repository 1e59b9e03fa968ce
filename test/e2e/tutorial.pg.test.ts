import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../support/database.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/your-own-project.md'), 'utf8')
const [tutorial = ''] = page.slice(page.indexOf('\n## Ten minutes\n')).split('\n## The parts\n')
const BLOCKS = [...tutorial.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
  ([, kind = '', text = '']) => ({ kind, text }),
)

/** The tutorial as a person follows it: in a shell, in an empty folder, with the packed package. */
describe('the tutorial in docs/your-own-project.md', () => {
  let folder: string
  /** The folder of the shell. */
  let place: string
  let shop: TestDatabase
  let warehouse: TestDatabase
  /** What the last commands or statements answered. */
  let answer = ''

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-tutorial-'))
    // For root, the database server runs as another user, who must be able to enter.
    chmodSync(folder, 0o711)
    place = folder
    writeFileSync(join(folder, '.state'), '')
    shop = await createDatabase({ template: 'empty' })
    warehouse = await createDatabase({ template: 'empty' })
    await runShell(`cd '${root}'; npm pack --pack-destination '${folder}'; cd '${folder}'`)
  })
  afterAll(async () => {
    await shop.drop()
    await warehouse.drop()
    rmSync(folder, { recursive: true })
  })

  /** Runs lines of a shell, which go on where the last ones ended. Throws if one of them fails. */
  async function runShell(lines: string): Promise<void> {
    const state = join(folder, '.state')
    const keep = `export -p > '${state}'; pwd > '${state}.place'`
    const script = `. '${state}'; cd '${place}'; set -e; ${lines}\n${keep}`
    const env = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      npm_config_prefer_offline: 'true',
      npm_config_ignore_scripts: 'true',
      npm_config_audit: 'false',
      npm_config_update_notifier: 'false',
    }
    const child = spawn('bash', ['-c', script], { cwd: folder, env })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => (said += text.toString()))
    }
    const code = await new Promise((resolve) => child.once('close', resolve))
    if (code !== 0) throw new Error(`exit ${String(code)} of ${lines}\n${said}`)
    place = readFileSync(`${state}.place`, 'utf8').trimEnd()
    answer = said
  }

  async function runStatements(database: TestDatabase, text: string): Promise<void> {
    const lines: string[] = []
    for (const statement of text.split(/;$/m).filter((each) => each.trim() !== '')) {
      const rows = await database.query(statement)
      lines.push(...rows.map((row) => Object.values(row).map(String).join(' | ')))
    }
    answer = lines.join('\n')
  }

  /** Puts the lines of a change that begin with `+` into its file. */
  function change(file: string, text: string): void {
    const lines = text.trimEnd().split('\n').slice(1)
    const after = lines.map((line) => line.slice(1)).join('\n')
    const before = lines.filter((line) => !line.startsWith('+')).map((line) => line.slice(1))
    const written = readFileSync(file, 'utf8')
    const parts = written.split(before.join('\n'))
    if (parts.length !== 2) throw new Error(`not once in ${file}:\n${before.join('\n')}`)
    writeFileSync(file, parts.join(after))
  }

  /** Throws unless the last answer has these lines in this order, with anything for `…`. */
  function compare(text: string): void {
    const bare = (each: string) => each.trim().replaceAll(/\s+/g, ' ')
    let left = bare(answer)
    for (const line of text.trimEnd().split('\n')) {
      const parts = line.split('…').map((part) => bare(part))
      const pattern = parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      const found = new RegExp(pattern.join('.*?')).exec(left)
      if (found === null) throw new Error(`${line}\nis not in\n${answer}`)
      left = left.slice(found.index + found[0].length)
    }
  }

  /** Does what one block of the page says. */
  async function follow({ kind, text }: (typeof BLOCKS)[number]): Promise<void> {
    const [, name = ''] = /^-{2,3} (.*)\n/.exec(text) ?? []
    const databases: Readonly<Record<string, TestDatabase>> = {
      'in the shop': shop,
      'in the warehouse': warehouse,
    }
    const addresses = text
      .replace(/^export SHOP=.*$/m, `export SHOP='${shop.readerUrl}'`)
      .replace(/^export WAREHOUSE=.*$/m, `export WAREHOUSE='${warehouse.url}'`)
    const database = databases[name]
    if (kind === 'sh') await runShell(addresses)
    else if (kind === 'text') compare(text)
    else if (kind === 'diff') change(join(place, name), text)
    else if (database !== undefined) await runStatements(database, text)
    else writeFileSync(join(place, name), text)
  }

  it('works as it is written, in less than ten minutes', async () => {
    const begunAt = Date.now()
    for (const block of BLOCKS) await follow(block)
    const kinds = new Set(BLOCKS.map(({ kind }) => kind))
    expect(kinds).toEqual(new Set(['sh', 'sql', 'text', 'diff']))
    expect(BLOCKS.length).toBeGreaterThan(20)
    expect(Date.now() - begunAt).toBeLessThan(300_000)
  })
})
