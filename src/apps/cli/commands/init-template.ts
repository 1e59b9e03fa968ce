import { ConfigError } from '../../../platform/errors.ts'
import { formatNumber } from '../../format.ts'
import { projectSettings } from '../../init/project-files.ts'
import { readTemplate } from '../../init/template.ts'
import { checkFree, writeFolder } from '../../init/write-folder.ts'
import { existingFolder, type ProjectTemplate } from '../../project-extension.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import type { InitInput } from './init.ts'

/** What `init --template` needs to know of its folder. */
interface Place {
  /** The folder as people see it. */
  readonly shown: string
  readonly next: (hasEnv: boolean) => string
}

/** `tidemark init --template NAME`: writes the project that comes with Tidemark. Reads no database. */
export async function initFromTemplate(
  { output, config, given, signal }: Pick<CommandContext, 'output' | 'config' | 'given' | 'signal'>,
  input: InitInput,
  { shown, next }: Place,
): Promise<number> {
  const template = findTemplate(given.template, input)
  const url = config.TIDEMARK_SOURCE_URL
  if (url === undefined && input.writeEnv) {
    throw new ConfigError('--write-env writes the connection string, and none is given', {
      code: 'CONFIG_INCOMPLETE',
      hint: 'tidemark init --template … --write-env --source postgresql://user:password@host:5432/database',
    })
  }
  const files = [
    ...readTemplate(existingFolder(given)),
    ...projectSettings({ url, writesEnv: input.writeEnv }),
    { path: 'README.md', text: readme(template) },
  ]
  checkFree(
    shown,
    files.map(({ path }) => path.split('/')[0] ?? path),
  )
  await writeFolder(shown, files, signal)
  output.conclude({
    event: 'template_written',
    folder: shown,
    name: template.name,
    files: files.map(({ path }) => path),
    leftOut: template.leftOut,
  })
  output.print(
    `\n  ${output.style('green', '✓')} Wrote the project ${template.name} to ${shown}: ${formatNumber(files.length, 'file')}`,
  )
  output.print(`\n  What it adds in code stays in Tidemark:`)
  for (const part of template.leftOut) output.print(`    – ${part}`)
  output.advise(`\n  Next: ${next(input.writeEnv)}`)
  return EXIT.done
}

function findTemplate(template: ProjectTemplate | undefined, input: InitInput): ProjectTemplate {
  const name = template?.name ?? 'none'
  if (template === undefined || input.template !== name) {
    throw new ConfigError(`There is no template ${String(input.template)}`, {
      code: 'USAGE',
      hint: `tidemark init --template ${name}`,
    })
  }
  const proposing = [
    ...(input.star ? ['--star'] : []),
    ...(input.keepSecrets ? ['--keep-secrets'] : []),
    ...(input.name === undefined ? [] : ['--name']),
  ]
  if (proposing.length === 0) return template
  throw new ConfigError(`${proposing.join(' and ')} cannot be used with --template`, {
    code: 'USAGE',
    hint: `nothing was written; leave out ${proposing.join(' and ')}, because a template is written unchanged`,
  })
}

function readme({ name, leftOut }: ProjectTemplate): string {
  return [
    `# ${name}`,
    '',
    `The example that comes with Tidemark, made with \`tidemark init --template ${name}\`: its tables,`,
    'models, rules, migrations, and the pages of its dashboard. It is yours to change.',
    '',
    '```sh',
    'cp .env.example .env     # then fill it in',
    'npx tidemark doctor      # is everything there that a run needs?',
    'npx tidemark run         # capture what changed',
    'npx tidemark verify      # prove that source, lake and warehouse are equal',
    '```',
    '',
    'What the example adds in code stays in Tidemark:',
    '',
    ...leftOut.map((part) => `- ${part}`),
    '',
  ].join('\n')
}
