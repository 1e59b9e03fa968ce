import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { reachesFar } from './migrate.ts'

const TOTESYS = new URL('../../totesys/warehouse/', import.meta.url)

describe('reachesFar()', () => {
  it('says what a migration may do beyond the schema in which it runs', () => {
    for (const sql of [
      'create schema other',
      'create extension if not exists citext',
      'CREATE TABLE public.mine (id int)',
      'create table if not exists "Public"."mine" (id int)',
      'drop table if exists public.mine cascade',
      'insert into other . log values (1)',
      'create view v as select * from other.mine',
      'set search_path = other',
      'set local role owner',
      'alter default privileges grant select on tables to analyst',
      'grant usage on schema public to analyst',
      'alter table mine set schema other',
      'create role analyst',
    ]) {
      expect(reachesFar(sql), sql).toBe(true)
    }
  })

  it('takes plain migrations, whatever their comments say', () => {
    for (const sql of [
      'create table mine (id int references dim_date (date_id))',
      '-- create schema other\ncreate view v as select f.id from fact as f join d on d.id = f.id',
      '/* from public.mine */ alter table mine add column schema text',
      `comment on table mine is 'a row for each role'`,
    ]) {
      expect(reachesFar(sql), sql).toBe(false)
    }
    const files = readdirSync(TOTESYS).filter((file) => file.endsWith('.sql'))
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) {
      expect(reachesFar(readFileSync(new URL(file, TOTESYS), 'utf8')), file).toBe(false)
    }
  })
})
