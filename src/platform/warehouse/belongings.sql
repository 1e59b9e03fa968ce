-- Everything that the relations $2 and the functions $3 of the schema $1 have, one row a thing: its
-- kind, its name, and all that identifies it. Two relations with the same rows can stand for each
-- other. Rights that their owner gave are left out: `rights.sql` has them. The session that asks has the
-- search path $1, so that names in it are not qualified. Two kinds are about others: `use` is something
-- else that depends on a relation or function, and `right` is a right that cannot be given again.
with relation as (
    select c.*
    from pg_class as c
    where
        c.relnamespace = to_regnamespace(quote_ident($1))
        and c.relname = any($2::text[])
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
),

function as (
    select p.*
    from pg_proc as p
    where
        p.pronamespace = to_regnamespace(quote_ident($1))
        and p.proname = any($3::text[])
        and p.prokind in ('f', 'p')
),

class_right as (
    select r.relname, a.grantor <> r.relowner as is_foreign, a.privilege_type as privilege
    from relation as r
    cross join lateral aclexplode(r.relacl) as a
),

belonging as (
    select
        r.relname::text as relation,
        'table' as kind,
        r.relname::text as name,
        concat_ws(
            ' ', r.relkind, r.relpersistence, r.relowner::regrole, r.reloptions, r.reltablespace,
            r.relrowsecurity, r.relforcerowsecurity, r.relreplident, r.relispartition, r.relam,
            r.reloftype
        ) as definition
    from relation as r
    union all
    select r.relname::text, 'comment', r.relname::text, obj_description(r.oid, 'pg_class')
    from relation as r
    where obj_description(r.oid, 'pg_class') is not null
    union all
    select
        r.relname::text,
        'column',
        a.attname::text,
        concat_ws(
            ' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation, a.attidentity,
            a.attgenerated, a.attstorage, a.attcompression, coalesce(a.attstattarget, -1),
            a.attoptions, a.attfdwoptions, pg_get_expr(d.adbin, d.adrelid)
        )
    from relation as r
    inner join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum
    where r.relkind <> 'v'
    union all
    select r.relname::text, 'description', a.attname::text, col_description(r.oid, a.attnum)
    from relation as r
    inner join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    where col_description(r.oid, a.attnum) is not null
    union all
    select
        r.relname::text,
        'index',
        x.relname::text,
        concat_ws(
            ' ',
            replace(pg_get_indexdef(i.indexrelid), ' ON ' || quote_ident($1) || '.', ' ON '),
            i.indisvalid, i.indisclustered, i.indisreplident, x.reltablespace,
            obj_description(x.oid, 'pg_class')
        )
    from relation as r
    inner join pg_index as i on i.indrelid = r.oid
    inner join pg_class as x on x.oid = i.indexrelid
    union all
    -- Whether a column may be null is said by the column.
    select
        r.relname::text,
        'constraint',
        c.conname::text,
        concat_ws(' ', pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'))
    from relation as r
    inner join pg_constraint as c on c.conrelid = r.oid and c.contype not in ('n', 't')
    union all
    -- An internal trigger only counts if somebody has switched it.
    select
        r.relname::text,
        'trigger',
        case when t.tgisinternal then 'of a foreign key' else t.tgname::text end,
        concat_ws(
            ' ',
            t.tgenabled,
            case
                when not t.tgisinternal
                    then replace(pg_get_triggerdef(t.oid), quote_ident($1) || '.', '')
            end
        )
    from relation as r
    inner join pg_trigger as t on t.tgrelid = r.oid and (not t.tgisinternal or t.tgenabled <> 'O')
    union all
    select
        r.relname::text,
        case when w.rulename = '_RETURN' then 'select' else 'rule' end,
        w.rulename::text,
        case
            when w.rulename = '_RETURN' then pg_get_viewdef(r.oid)
            else replace(pg_get_ruledef(w.oid), quote_ident($1) || '.', '')
        end
    from relation as r
    inner join pg_rewrite as w on w.ev_class = r.oid
    union all
    select
        r.relname::text,
        'policy',
        p.polname::text,
        concat_ws(
            ' ', p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid),
            pg_get_expr(p.polwithcheck, p.polrelid)
        )
    from relation as r
    inner join pg_policy as p on p.polrelid = r.oid
    union all
    select r.relname::text, 'publication', p.pubname::text, ''
    from relation as r
    inner join pg_publication_rel as b on b.prrelid = r.oid
    inner join pg_publication as p on p.oid = b.prpubid
    union all
    select r.relname::text, 'inheritance', h.inhrelid::regclass::text, h.inhparent::regclass::text
    from relation as r
    inner join pg_inherits as h on r.oid in (h.inhrelid, h.inhparent)
    union all
    select r.relname::text, 'statistics', s.stxname::text, pg_get_statisticsobjdef(s.oid)
    from relation as r
    inner join pg_statistic_ext as s on s.stxrelid = r.oid
    union all
    select r.relname::text, 'label', l.provider, l.label
    from relation as r
    inner join pg_seclabel as l on l.classoid = 'pg_class'::regclass and l.objoid = r.oid
    union all
    select r.relname::text, 'right', r.privilege, 'given by another role'
    from class_right as r
    where r.is_foreign
    union all
    select r.relname::text, 'right', a.attname::text, 'given by another role'
    from relation as r
    inner join pg_attribute as a on a.attrelid = r.oid
    cross join lateral aclexplode(a.attacl) as e
    where e.grantor <> r.relowner
    union all
    select f.proname::text, 'function', f.proname::text, concat_ws(
        ' ', f.proowner::regrole, f.prosecdef, f.proconfig, obj_description(f.oid, 'pg_proc')
    )
    from function as f
    union all
    select
        f.proname::text,
        'body',
        f.proname::text,
        replace(pg_get_functiondef(f.oid), quote_ident($1) || '.', '')
    from function as f
    union all
    select r.relname::text, 'use', pg_describe_object('pg_class'::regclass, w.ev_class, 0), ''
    from relation as r
    inner join pg_depend as d on d.refclassid = 'pg_class'::regclass and d.refobjid = r.oid
    inner join pg_rewrite as w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
    where w.ev_class not in (select o.oid from relation as o)
    union all
    select r.relname::text, 'use', c.conrelid::regclass::text, c.conname::text
    from relation as r
    inner join pg_constraint as c on c.confrelid = r.oid and c.contype = 'f'
    where c.conrelid not in (select o.oid from relation as o)
    union all
    select r.relname::text, 'use', pg_describe_object(d.classid, d.objid, 0), ''
    from relation as r
    inner join pg_depend as d
        on (d.refclassid = 'pg_class'::regclass and d.refobjid = r.oid)
        or (d.refclassid = 'pg_type'::regclass and d.refobjid = r.reltype)
    where
        (
            d.classid = 'pg_proc'::regclass
            and d.objid not in (select o.oid from function as o)
        )
        or (
            d.classid = 'pg_class'::regclass
            and d.refclassid = 'pg_type'::regclass
            and d.deptype = 'n'
            and d.objid not in (select o.oid from relation as o)
        )
    union all
    select f.proname::text, 'use', pg_describe_object('pg_class'::regclass, w.ev_class, 0), ''
    from function as f
    inner join pg_depend as d on d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
    inner join pg_rewrite as w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
    where w.ev_class not in (select o.oid from relation as o)
    union all
    select f.proname::text, 'use', pg_describe_object(d.classid, d.objid, 0), ''
    from function as f
    inner join pg_depend as d on d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
    where d.classid = 'pg_proc'::regclass and d.objid not in (select o.oid from function as o)
)

select distinct relation, kind, name, coalesce(definition, '') as definition
from belonging
order by relation, kind, name, definition
