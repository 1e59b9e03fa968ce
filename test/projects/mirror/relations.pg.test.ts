import { runScenarios, THREE, three } from '../../support/mirror-scenarios.ts'

const PARTS = `
  create table p (id int, day date, v text, primary key (id, day)) partition by range (day);
  create table p23 partition of p for values from ('2023-01-01') to ('2024-01-01');
  create table p24 partition of p for values from ('2024-01-01') to ('2025-01-01');
  insert into p values (1, '2023-05-01', 'a'), (2, '2024-05-01', 'b');`

const FIRST = ['insert 1,2023-05-01,a', 'insert 2,2024-05-01,b']

/** Names as long as Postgres allows, which differ in their last letter. */
const LONG = ['x', 'y'].map((last) => `${'é'.repeat(31)}${last}`)
const [longX = '', longY = ''] = LONG

runScenarios('relations', [
  {
    name: 'names of 63 bytes, of tables, columns and keys, that differ in the last one',
    setup: LONG.map(
      (long) => `
        create table "${long}" ("${longX}" int primary key, "${longY}" text);
        insert into "${long}" values (1, 'a')`,
    ).join(';'),
    steps: [
      `update "${longX}" set "${longY}" = 'b'; delete from "${longY}"`,
      `alter table "${longX}" drop "${longY}"; insert into "${longY}" values (2, null)`,
    ],
    versions: {
      [longX]: ['insert 1,a', 'update 1,b'],
      [longY]: ['insert 1,a', 'delete 1,a', 'insert 2,∅'],
    },
  },

  {
    name: 'a partition that is attached with old rows, and one that is detached',
    setup: PARTS,
    settings: { newTables: 'report' },
    steps: [
      `create table p25 (id int, day date, v text, primary key (id, day));
       insert into p25 values (3, '2025-05-01', 'c')`,
      `alter table p attach partition p25 for values from ('2025-01-01') to ('2026-01-01')`,
      'alter table p detach partition p23',
    ],
    versions: { p: [...FIRST, 'insert 3,2025-05-01,c', 'delete 1,2023-05-01,a'] },
  },
  {
    name: 'changes within partitions, a row that moves, and a truncated partition',
    setup: PARTS,
    steps: [
      `update p set v = 'z' where id = 1`,
      `update p set day = '2024-07-01' where id = 1`,
      'truncate p24',
    ],
    versions: {
      p: [
        ...FIRST,
        'update 1,2023-05-01,z',
        'delete 1,2023-05-01,z',
        'insert 1,2024-07-01,z',
        'delete 1,2024-07-01,z',
        'delete 2,2024-05-01,b',
      ],
    },
  },
  {
    name: 'a table that is dropped and made again under its name',
    setup: THREE,
    steps: [
      `drop table t; create table t (id int primary key, v text, moved timestamp default '2024-01-01');
       insert into t values (1, 'a'), (2, 'z')`,
    ],
    versions: three('update 2,z', 'delete 3,c'),
  },
  {
    name: 'columns that are added, renamed and dropped',
    setup: THREE,
    steps: [
      `alter table t add w int default 7`,
      'alter table t rename w to n',
      'alter table t drop n',
    ],
    versions: {
      t: [
        ...['1,a', '2,b', '3,c'].map((row) => `insert ${row},2024-01-01 00:00:00,∅,∅`),
        ...['1,a', '2,b', '3,c'].map((row) => `update ${row},2024-01-01 00:00:00,7,∅`),
        ...['1,a', '2,b', '3,c'].map((row) => `update ${row},2024-01-01 00:00:00,∅,7`),
      ],
    },
  },
  {
    name: 'generated and identity columns, domains, enums and their labels',
    setup: `create type mood as enum ('good', 'bad'); create domain positive as int check (value > 0);
      create table t (id int generated always as identity primary key, n positive,
        twice int generated always as (n * 2) stored, mood mood);
      insert into t (n, mood) values (1, 'good'), (2, 'bad')`,
    steps: [
      `update t set n = 5 where id = 1; insert into t (n) values (9)`,
      `alter type mood rename value 'bad' to 'worse'`,
      `alter type mood add value 'best'`,
    ],
    versions: {
      t: [
        'insert 1,1,2,good',
        'insert 2,2,4,bad',
        'update 1,5,10,good',
        'insert 3,9,18,∅',
        'update 2,2,4,worse',
      ],
    },
  },
  {
    name: 'quoted names, and two tables with one name',
    setup: `create schema "Other Schema"; grant usage on schema "Other Schema" to public;
      alter default privileges in schema "Other Schema" grant select on tables to public;
      create table t (id int primary key); insert into t values (1);
      create table "Other Schema".t ("Id" int primary key, "a ""b"" c" text);
      insert into "Other Schema".t values (1, 'x')`,
    steps: [`update "Other Schema".t set "a ""b"" c" = 'y'; delete from t`],
    versions: { t: ['insert 1', 'delete 1'], 'Other Schema_t': ['insert 1,x', 'update 1,y'] },
  },
  {
    name: 'an unlogged table, which is compared every time',
    setup: `create unlogged table t (id int primary key, v text); insert into t values (1, 'a')`,
    steps: [`update t set v = 'b'`, `insert into t values (2, 'c')`],
    versions: { t: ['insert 1,a', 'update 1,b', 'insert 2,c'] },
  },
  {
    name: 'a table that inherits another',
    setup: `create table parent (id int primary key, v text); insert into parent values (1, 'a');
      create table child (primary key (id)) inherits (parent); insert into child values (2, 'b')`,
    steps: [`update child set v = 'z'; delete from only parent`],
    versions: {
      // No constraint keeps the key of the parent unique over its children, so it is kept by content.
      parent: ['insert 1,2,b', 'insert 1,1,a', 'delete 1,2,b', 'insert 1,2,z', 'delete 1,1,a'],
      child: ['insert 2,b', 'update 2,z'],
    },
  },
  {
    name: 'tables of views and their refreshes, on request',
    setup: `${THREE} create materialized view m as select id, v from t; create view w as select v from t`,
    steps: [`update t set v = 'z' where id = 1`, 'refresh materialized view m'],
    settings: { views: true, tables: { 'public.m': { key: ['id'] } } },
    versions: {
      ...three('update 1,z'),
      m: ['insert 1,a', 'insert 2,b', 'insert 3,c', 'update 1,z'],
    },
  },
])
