import type { Project } from '../../../src/platform/project/project.ts'
import { resolveProject } from '../../../src/platform/project/resolve-project.ts'
import config from './tidemark.config.ts'

/** The library as the platform holds it. */
export const library: Project = resolveProject(config, new URL('./', import.meta.url))
