-- fact_loan: who had which copy, from when to when.
-- Grain: one row per version of a loan (isbn, copy_number, lent_at).
-- Sources: change_loan.
-- History: append-only; every insert, update and delete of a loan is a row of its own.
select
    change_loan.isbn::varchar as isbn,
    change_loan.copy_number::smallint as copy_number,
    change_loan.lent_at::timestamptz as lent_at,
    change_loan.member_id::integer as member_id,
    -- A moment no calendar has (infinity) becomes null, which sends the one row to quarantine.
    case when isfinite(change_loan.lent_at) then (change_loan.lent_at at time zone 'UTC')::date end as lent_on,
    change_loan.due_on::date as due_on,
    change_loan.returned_on::date as returned_on,
    change_loan._operation::varchar as _operation,
    change_loan._captured_at::timestamptz as _captured_at,
    change_loan._ordinal::bigint as _ordinal
from change_loan
