/** Both forms of a mail, decoded. */
export function bodiesOf(raw: string): { text: string; html: string } {
  const boundary = /boundary="([^"]+)"/.exec(raw)?.[1] ?? ''
  const part = (type: string): string => {
    const found = raw.split(`--${boundary}`).find((each) => each.includes(`Content-Type: ${type}`))
    const [head = '', ...rest] = (found ?? '').split('\r\n\r\n')
    const body = rest.join('\r\n\r\n')
    if (/base64/i.test(head)) return Buffer.from(body, 'base64').toString('utf8')
    if (!/quoted-printable/i.test(head)) return body.replaceAll('\r\n', '\n')
    const bytes = body
      .replaceAll(/=\r\n/g, '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number(`0x${hex}`)))
    return Buffer.from(bytes, 'latin1').toString('utf8').replaceAll('\r\n', '\n')
  }
  return { text: part('text/plain'), html: part('text/html') }
}

/** The subject of a mail, decoded. */
export function subjectOf(raw: string): string {
  return decodeHeader(/^Subject: (.*(?:\r\n .*)*)/m.exec(raw)?.[1] ?? '')
}

/** A header with its encoded words (RFC 2047) decoded. */
function decodeHeader(text: string): string {
  return text
    .replaceAll(/\r\n /g, ' ')
    .replaceAll(/\?= =\?/g, '?==?')
    .replaceAll(/=\?UTF-8\?([QB])\?(.*?)\?=/gi, (_, kind: string, word: string) => {
      if (kind.toUpperCase() === 'B') return Buffer.from(word, 'base64').toString('utf8')
      const bytes = word
        .replaceAll('_', ' ')
        .replaceAll(/=([0-9A-F]{2})/g, (__, hex: string) => String.fromCharCode(Number(`0x${hex}`)))
      return Buffer.from(bytes, 'latin1').toString('utf8')
    })
}
