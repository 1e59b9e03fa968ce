import type { Project } from '../platform/project/project.ts'
import { resolveProject } from '../platform/project/resolve-project.ts'
import config from './tidemark.config.ts'

/** Totesys as the platform carries it. */
export const totesys: Project = resolveProject(config, new URL('./', import.meta.url))
