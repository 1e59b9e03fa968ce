import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ProjectConfig } from '../../src/platform/project/project-config.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { resolveProject } from '../../src/platform/project/resolve-project.ts'

const DEFINE = fileURLToPath(
  new URL('../../src/platform/project/project-config.ts', import.meta.url),
)

/** Loads the project that `tidemark init` wrote to a folder, from this source tree. */
export async function loadWritten(folder: string): Promise<Project> {
  const text = readFileSync(join(folder, 'tidemark.config.ts'), 'utf8')
  const copy = join(folder, '..', `copy-${Date.now()}-${Math.random()}.ts`)
  writeFileSync(
    copy,
    text.replace("from 'tidemark'", () => `from ${JSON.stringify(DEFINE)}`),
  )
  const module = (await import(copy)) as { default: ProjectConfig }
  return resolveProject(module.default, pathToFileURL(`${folder}/`))
}

/** Every file in a folder as one text, with its path above it. */
export function readWritten(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((file) => `==> ${file.slice(folder.length + 1)} <==\n${readFileSync(file, 'utf8')}`)
    .join('\n')
}
