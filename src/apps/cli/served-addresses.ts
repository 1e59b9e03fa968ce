import type { ServedAddress } from '../server/server-extension.ts'

/** A line for each address that a project serves beside the dashboard. */
export function describeAddresses(url: string, addresses: readonly ServedAddress[]): string[] {
  return addresses.map(({ title, path }) => `  ${title.padEnd(11)} ${url}${path}`)
}
