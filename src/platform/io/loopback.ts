import { isIP } from 'node:net'

/**
 * Whether a host is this machine, so that nobody can listen in between: an address within
 * 127.0.0.0/8 (mapped to IPv6 or not), `::1` (in brackets or not), or exactly `localhost`.
 * `127.example.com` is a name like any other.
 */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1').replace(/^::ffff:/i, '')
  if (address === 'localhost' || address === '::1') return true
  return isIP(address) === 4 && address.startsWith('127.')
}
