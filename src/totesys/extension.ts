import type { ProjectExtension } from '../apps/project-extension.ts'

/** What Totesys adds in code: rates from a server, the living company, the payments API. */
export const extension: ProjectExtension = {
  feedServers: async (config, embedded) =>
    (await import('./source/rate-servers.ts')).rateServers(config, embedded),
  source: async () => (await import('./living/simulated-source.ts')).simulatedSource,
  server: async () => (await import('./payments/server-extension.ts')).serverExtension,
  analyses: async () => (await import('./presentation/analyses.ts')).analyses,
}
