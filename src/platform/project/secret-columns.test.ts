import { expect, it } from 'vitest'
import type { CatalogueColumn } from './catalogue-table.ts'
import { looksSecret, wordsOf } from './secret-columns.ts'

const column = (name: string, baseType = 'text'): CatalogueColumn => ({
  name,
  type: baseType,
  baseType,
  isEnum: false,
  nullable: true,
  isReadable: true,
  comment: undefined,
})

it.each([
  'password',
  'PASSWORD',
  'password_hash',
  'userPassword',
  'passWord',
  'pass_word',
  'hash',
  'api_key',
  'apiKey',
  'APIKey',
  'api-keys',
  'refresh_tokens',
  'client secret',
  'ssn',
  'social_security_number',
  'IBAN',
  'card_number',
  'cardNumber2',
  'pin',
])('looksSecret() suspects %s', (name) => {
  expect(looksSecret(column(name))).toBe(true)
})

it.each([
  'hashtag',
  'tokenizer',
  'passwordless',
  'secretary',
  'key',
  'api',
  'opinion',
  'shipping',
  'card',
  'number',
  'key_api',
  '',
  '—',
])('looksSecret() has nothing against %j', (name) => {
  expect(looksSecret(column(name))).toBe(false)
})

it.each([
  ['text', true],
  ['bytea', true],
  ['character varying(60)', true],
  ['character(64)', true],
  ['public.citext', true],
  ['integer', false],
  ['boolean', false],
  ['timestamp with time zone', false],
  ['text[]', false],
  ['jsonb', false],
])('looksSecret() looks at columns of the type %s: %s', (type, isSuspect) => {
  expect(looksSecret(column('password', type))).toBe(isSuspect)
})

it.each([
  ['createdAt', ['created', 'at']],
  ['created_at', ['created', 'at']],
  ['HTTPServer2URL', ['http', 'server', '2', 'url']],
  ['Größe in µm', ['größe', 'in', 'µm']],
  ['__', []],
])('wordsOf(%j) is %j', (name, words) => {
  expect(wordsOf(name)).toEqual(words)
})
