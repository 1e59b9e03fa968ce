import {
  comparedTables,
  databaseTables,
  sourceAndStarTables,
  sourceTables,
} from '../../../platform/project/known-table.ts'
import { openProject } from '../../project/load-project.ts'
import { commandsFor } from '../commands.ts'
import { COMMON_OPTIONS, COMMON_SETTINGS } from '../common-options.ts'
import { completeBash } from '../completion/bash.ts'
import { listPlaces } from '../completion/completable.ts'
import { completeFish } from '../completion/fish.ts'
import { completeZsh } from '../completion/zsh.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'

const SCRIPTS: Readonly<Record<string, typeof completeBash>> = {
  bash: completeBash,
  zsh: completeZsh,
  fish: completeFish,
}

/** `tidemark completion SHELL`: the script that completes commands there. Reads no settings. */
export async function completionCommand(
  { output, findProject, given }: Pick<CommandContext, 'output' | 'findProject' | 'given'>,
  { shell }: { shell: string },
): Promise<number> {
  const { project } = await openProject(await findProject(), given)
  const facts = project.models.flatMap((model) =>
    model.kind === 'fact' ? [model.from, model.table] : [],
  )
  const places = listPlaces(commandsFor(given), {
    common: { options: COMMON_OPTIONS, settings: COMMON_SETTINGS },
    tables: {
      'source table': sourceTables(project).names,
      'database table': databaseTables(project).names,
      fact: facts,
      'compared table': comparedTables(project).names,
      'any table': sourceAndStarTables(project).names,
    },
  })
  const script = SCRIPTS[shell]?.(places) ?? ''
  output.conclude({ event: 'completion', shell, script })
  output.print(script.trimEnd())
  return EXIT.done
}
