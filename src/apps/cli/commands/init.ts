import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { ConfigError } from '../../../platform/errors.ts'
import { hostOf } from '../../../platform/io/postgres-url.ts'
import { patternOf } from '../../../platform/project/patterns.ts'
import { usualProjectName } from '../../../platform/project/resolve-project.ts'
import { formatNumber } from '../../format.ts'
import { type Ask, askAt, askNobody, type Terminal } from '../../init/ask.ts'
import {
  type ChosenTables,
  chooseTables,
  placeInSource,
  withoutSecrets,
} from '../../init/choose-tables.ts'
import { describeTables, remarksOn } from '../../init/describe-source.ts'
import { projectFiles } from '../../init/project-files.ts'
import {
  type ProjectChoices,
  proposeMirror,
  type ProposedProject,
  proposeStarProject,
} from '../../init/propose-project.ts'
import type { ProposedModel } from '../../init/proposed-model.ts'
import { proposeStar } from '../../init/propose-star.ts'
import { readSource, type ReadSource } from '../../init/read-source.ts'
import { checkFree, writeFolder } from '../../init/write-folder.ts'
import { mirrorOptions } from '../../project/mirror-options.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import type { Output } from '../output.ts'

/** What a person says in the command line of `tidemark init`. */
export interface InitInput {
  readonly folder: string | undefined
  readonly star: boolean
  readonly keepSecrets: boolean
  readonly writeEnv: boolean
  readonly name: string | undefined
  readonly yes: boolean
  /** The project to write instead, without a look at a database. */
  readonly template?: string | undefined
}

/** `tidemark init`: reads a database's catalogue and writes a project for it. */
export async function initCommand(
  context: Pick<CommandContext, 'output' | 'config' | 'given' | 'signal'>,
  input: InitInput,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<number> {
  const { output, config, signal } = context
  const folder = resolve(input.folder ?? '.')
  const shown = shownFolder(folder)
  if (input.template !== undefined) {
    const { initFromTemplate } = await import('./init-template.ts')
    const next = (hasEnv: boolean) => nextSteps(shown, hasEnv)
    return await initFromTemplate(context, input, { shown, next })
  }
  checkFree(shown, input.writeEnv ? ['.env'] : [])
  const name = nameOf(folder, input)
  const url = config.TIDEMARK_SOURCE_URL
  if (url === undefined) {
    throw new ConfigError('A project needs a database to read, and none is named', {
      code: 'CONFIG_INCOMPLETE',
      hint: 'tidemark init --source postgresql://user:password@host:5432/database',
    })
  }
  const isAsking =
    !input.yes && !output.isJson && terminal.input.isTTY === true && terminal.output.isTTY === true
  const ask = isAsking ? askAt(terminal) : askNobody

  const source = await readSource(url)
  const { settings = {} } = mirrorOptions(config) ?? {}
  const chosen = chooseTables(source.catalogue, settings)
  describe(output, { url, source, chosen })
  const choices: ProjectChoices = {
    name,
    title: source.database,
    settings,
    keepsSecrets: await keepsSecrets(chosen, input, ask),
  }
  const project = await propose(chosen, { choices, input, ask })
  const hasEnv = existsSync(join(folder, '.env'))
  const writesEnv = input.writeEnv || (!hasEnv && (await ask(ASK_ENV, false)))
  const files = projectFiles(project, { url, writesEnv })
  await writeFolder(shown, files, signal)

  output.conclude({
    event: 'project_written',
    folder: shown,
    name,
    files: files.map(({ path }) => path),
    tables: chosen.tables.length,
    withoutKey: chosen.tables
      .filter(({ table }) => table.isByContent === true)
      .map(({ table }) => placeInSource(table)),
    notReadable: chosen.leftOut
      .filter(({ why }) => why === 'not readable')
      .map(({ relation }) => relation),
    excluded: choices.keepsSecrets ? [] : secretsOf(chosen),
  })
  const models = files.filter(({ path }) => path.startsWith('models/')).length
  const others = files.map(({ path }) => path).filter((path) => !path.startsWith('models/'))
  const written = [...others, ...(models > 0 ? [formatNumber(models, 'model')] : [])]
  output.print(`\n  ${output.style('green', '✓')} Wrote ${written.join(', ')} to ${shown}`)
  output.advise(`\n  Next: ${nextSteps(shown, writesEnv || hasEnv)}`)
  return EXIT.done
}

/** A folder as people see it from here. */
function shownFolder(folder: string): string {
  const path = relative('.', folder)
  return path.startsWith('..') ? folder : path || '.'
}

const ASK_ENV = 'Write the connection string, with its password, to .env for you alone?'

function nameOf(folder: string, { name: given }: InitInput): string {
  const name = given ?? usualProjectName(folder)
  if (/^[a-z][a-z0-9_]*$/.test(name)) return name
  throw new ConfigError(`The name ${name} is not valid`, {
    code: 'USAGE',
    hint: 'use lower-case letters, digits and underscores, a letter first: --name my_shop',
  })
}

/** Says what was found. */
function describe(
  output: Output,
  { url, source, chosen }: { url: string; source: ReadSource; chosen: ChosenTables },
): void {
  output.print(`\n  ${output.style('bold', source.database)}   at ${hostOf(url)}\n`)
  for (const line of describeTables(chosen).split('\n')) output.print(`  ${line}`)
  output.print('')
  for (const { text, isWarning } of remarksOn(chosen)) {
    output.print(
      `  ${isWarning ? output.style('yellow', '!') : output.style('green', '✓')} ${text}`,
    )
  }
}

async function keepsSecrets(chosen: ChosenTables, input: InitInput, ask: Ask): Promise<boolean> {
  const secrets = secretsOf(chosen)
  if (input.keepSecrets || secrets.length === 0) return true
  return !(await ask(`Leave the ${formatNumber(secrets.length, 'column')} out?`, true))
}

function secretsOf({ tables }: ChosenTables): string[] {
  return tables.flatMap(({ found, secrets }) =>
    secrets.map((column) => patternOf(found.schema, found.relation, column)),
  )
}

/** The mirror or the star schema that the person wants. */
async function propose(
  all: ChosenTables,
  { choices, input, ask }: { choices: ProjectChoices; input: InitInput; ask: Ask },
): Promise<ProposedProject> {
  const chosen = choices.keepsSecrets ? all : withoutSecrets(all)
  const models = proposeStar(chosen.tables)
  const count = (prefix: string): number =>
    models.filter(({ name }: ProposedModel) => name.startsWith(prefix)).length
  if (input.star && models.length === 0) {
    throw new ConfigError('No table refers to two others and has a measure or a date', {
      code: 'NO_FACTS',
      hint: 'keep every table as it is: tidemark init without --star; nothing was written',
    })
  }
  const isStar =
    input.star ||
    (models.length > 0 &&
      (await ask(
        `Write a star schema (${formatNumber(count('fact_'), 'fact')}, ${formatNumber(count('dim_'), 'dimension')}) instead of keeping every table as it is?`,
        false,
      )))
  return isStar
    ? proposeStarProject(chosen, { ...choices, models })
    : proposeMirror(chosen, choices)
}

function nextSteps(folder: string, hasEnv: boolean): string {
  const steps = [
    ...(folder === '.' ? [] : [`cd ${/[^\w./-]/.test(folder) ? `'${folder}'` : folder}`]),
    ...(hasEnv ? [] : ['cp .env.example .env and fill it in']),
    'run tidemark doctor',
  ]
  return steps.join(', then ')
}
