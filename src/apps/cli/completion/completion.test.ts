import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tidemark } from '../../../../test/support/command.ts'

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-completion-'))
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { out } = await tidemark(['completion', shell])
    writeFileSync(join(folder, shell), out)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What bash suggests for the last word of a line. */
function bash(line: string): string[] {
  const script = `source ${join(folder, 'bash')}
    COMP_WORDS=(${line
      .split(' ')
      .map((word) => `'${word}'`)
      .join(' ')})
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _tidemark
    printf '%s\\n' "\${COMPREPLY[@]}"`
  return lines(execFileSync('bash', ['--norc', '-c', script], { cwd: folder, encoding: 'utf8' }))
}

/** What fish suggests, without the descriptions. */
function fish(line: string): string[] {
  const script = `source ${join(folder, 'fish')}; complete -C '${line}'`
  const out = execFileSync('fish', ['--no-config', '-c', script], { cwd: folder, encoding: 'utf8' })
  return lines(out).map((each) => each.split('\t')[0] ?? '')
}

/** What zsh suggests: a shell in a terminal of its own writes down what it offers there. */
function zsh(line: string): string[] {
  const found = join(folder, 'found')
  writeFileSync(found, '')
  writeFileSync(
    join(folder, 'probe'),
    `PROMPT=
    stty -echo
    autoload -U compinit
    compinit -u -D
    source ${join(folder, 'zsh')}
    compadd() { local -a hits; builtin compadd -O hits "$@"; print -rl -- $hits >> ${found}; builtin compadd "$@" }
    probe() { zle complete-word; print "DONE-$((1 + 1))" }
    zle -N probe
    bindkey '^I' probe
    print "READY-$((1 + 1))"\n`,
  )
  const script = `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "source ${join(folder, 'probe')}"
    zpty -r -m shell said '*READY-2*'
    zpty -n -w shell "${line}"$'\\t'
    zpty -r -m shell said '*DONE-2*'
    zpty -d shell`
  execFileSync('zsh', ['-f', '-c', script], { cwd: folder })
  return [...new Set(lines(readFileSync(found, 'utf8')))]
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

const isInstalled = (shell: string) => spawnSync(shell, ['-c', 'exit']).status === 0

describe.each([
  ['bash', bash],
  ['zsh', zsh],
  ['fish', fish],
] as const)('tidemark completion %s', (shell, suggest) => {
  const has = isInstalled(shell)
  it.runIf(has || process.env['CI'] !== undefined)(
    'completes commands, the commands of a group, options, tables and words',
    () => {
      expect(suggest('tidemark st')).toEqual(['status'])
      expect(suggest('tidemark quarantine ').toSorted()).toEqual(['list', 'replay', 'show'])
      expect(suggest('tidemark quarantine list --li')).toEqual(['--limit'])
      expect(suggest('tidemark history sales')).toEqual(['sales_order'])
      expect(suggest('tidemark completion f')).toEqual(['fish'])
      expect(suggest('tidemark run --confirm-deletes pay').toSorted()).toEqual([
        'payment',
        'payment_type',
      ])
    },
  )
  it.runIf(has || process.env['CI'] !== undefined)(
    'looks past options and their values, and offers nothing where any text is allowed',
    () => {
      expect(suggest('tidemark --quiet --home quarantine lake ')).toEqual(['sweep'])
      expect(suggest('tidemark history payment ')).toEqual([])
      expect(suggest('tidemark run --every ')).toEqual([])
    },
  )
})

it('a script never runs the text on the line', () => {
  for (const word of ['$(touch${IFS}made)', '`touch${IFS}made`']) {
    expect(bash(`tidemark history ${word} `)).toEqual([])
    expect(bash(`tidemark history ${word}`)).toEqual([])
  }
  expect(existsSync(join(folder, 'made'))).toBe(false)
})

it('tidemark completion works while settings are invalid', async () => {
  const { code } = await tidemark(['completion', 'bash'], { env: { TIDEMARK_THREADS: 'many' } })
  expect(code).toBe(0)
})

it('tidemark completion --json wraps the script in an event', async () => {
  const { events } = await tidemark(['completion', 'zsh', '--json'])
  expect(events).toMatchObject([{ event: 'completion', shell: 'zsh' }])
})
