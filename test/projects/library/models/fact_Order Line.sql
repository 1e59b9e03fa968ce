-- fact_Order Line: what was ordered, on whose request.
-- Grain: one row per version of an order line ("Order", "Line No.").
-- Sources: change_Order Line.
-- History: append-only; every insert, update and delete of a line is a row of its own.
with change as (
    select
        *,
        -- Text that is not a date becomes null, which sends the one row to quarantine.
        case
            when regexp_full_match(ordered_on, '[0-9]{4}-[0-9]{2}-[0-9]{2}') and ordered_on >= '0001-01-01'
                then try_strptime(ordered_on, '%Y-%m-%d')
        end as ordered
    from "change_Order Line"
)

select
    change."Order"::integer as "Order",
    change."Line No."::smallint as "Line No.",
    change.isbn::varchar as isbn,
    change.requested_by::integer as requested_by,
    change.ordered::date as ordered_on,
    change."select"::integer as "select",
    change."it's ""net"" price"::decimal(10, 3) as "it's ""net"" price",
    change."größe_µm"::varchar as "größe_µm",
    change.what_the_librarian_wrote_on_the_paper_slip_that_came_with_books::varchar
        as what_the_librarian_wrote_on_the_paper_slip_that_came_with_books,
    change._operation::varchar as _operation,
    change._captured_at::timestamptz as _captured_at,
    change._ordinal::bigint as _ordinal
from change
