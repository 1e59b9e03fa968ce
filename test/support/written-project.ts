import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readProjectFile } from '../../src/apps/project/load-project.ts'
import type { Project } from '../../src/platform/project/project.ts'

/** Loads the project that `tidemark init` wrote to a folder. */
export async function loadWritten(folder: string): Promise<Project> {
  return await readProjectFile(join(folder, 'tidemark.config.ts'))
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
