/** Whether the host of an address is this machine, to which nobody is on the way. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.')
}
