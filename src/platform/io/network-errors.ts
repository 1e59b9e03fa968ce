/** Errors of the network by Node's code, in words. They may all pass. */
const NETWORK: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ENOTFOUND', 'no such host name'],
  ['EAI_AGAIN', 'the host name could not be looked up just now'],
  ['ETIMEDOUT', 'no answer in time'],
  ['ECONNRESET', 'the connection was cut'],
  ['EPIPE', 'the connection was cut'],
  ['EHOSTUNREACH', 'no route to the host'],
  ['ENETUNREACH', 'no route to the network'],
])

/** Codes by Node and by OpenSSL (X509_V_ERR_…) for a certificate or a handshake. */
const TLS =
  /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_|ERR_TLS|ERR_SSL|EPROTO|HOSTNAME_MISMATCH|INVALID_CA)/

/** An error of the network in words, by its code; undefined for any other error. */
export function describeNetworkError(code: string): string | undefined {
  return NETWORK.get(code)
}

/** Whether a code says that there is no trusted TLS connection. Another attempt does not help. */
export function isTlsError(code: string): boolean {
  return TLS.test(code)
}
