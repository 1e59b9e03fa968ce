import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import type { ProjectFile } from './project-files.ts'

const CONFIG = 'tidemark.config.ts'

/** The folders of a project that hold SQL. */
const FOLDERS = ['models', 'presentation', 'tests', 'warehouse']

/** The folder, in a built project, with the sources that a template is made from. */
export const TEMPLATE_FOLDER = 'template'

const IMPORT = /(\bfrom ')(\.[^']+)(')/g

/**
 * The config file of a project and every file of the project that it imports, directly or not, as paths
 * in its folder.
 */
export function listSources(folder: string): string[] {
  const found = new Set<string>()
  const visit = (path: string): void => {
    if (found.has(path)) return
    found.add(path)
    for (const [, , target = ''] of readFileSync(join(folder, path), 'utf8').matchAll(IMPORT)) {
      const imported = normalize(join(path, '..', target))
      if (!imported.startsWith('..')) visit(imported)
    }
  }
  visit(CONFIG)
  return [...found].toSorted()
}

/**
 * The files of a project that comes with Tidemark, as a person has them who begins with it: what it
 * declares, with everything from outside its folder imported from the package. What it adds in code
 * stays behind. `folder` is the project as source, or as it was built.
 */
export function readTemplate(folder: string): ProjectFile[] {
  const sources = existsSync(join(folder, CONFIG)) ? folder : join(folder, TEMPLATE_FOLDER)
  const written = listSources(sources).map((path) => ({
    path,
    text: importFromPackage(path, readFileSync(join(sources, path), 'utf8')),
  }))
  const statements = FOLDERS.flatMap((name) =>
    readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.sql'))
      .map((path) => join(name, path)),
  )
  return [
    ...written,
    ...statements
      .toSorted()
      .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') })),
    { path: 'tsconfig.json', text: TSCONFIG },
  ]
}

/** A file in which every import from outside the project's folder is one from the package. */
function importFromPackage(path: string, text: string): string {
  return text.replaceAll(IMPORT, (whole, before: string, target: string, after: string) =>
    normalize(join(path, '..', target)).startsWith('..') ? `${before}tidemark${after}` : whole,
  )
}

/** For editors: Tidemark itself needs no settings of a compiler. */
const TSCONFIG = `{
  "compilerOptions": {
    "module": "nodenext",
    "target": "es2023",
    "lib": ["es2023", "esnext.disposable", "dom"],
    "types": [],
    "strict": true,
    "noEmit": true,
    "allowImportingTsExtensions": true
  },
  "include": ["**/*.ts"]
}
`
