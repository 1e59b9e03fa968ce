-- One line that says which loan this is, from its newest version.
-- Parameters: $1 to $3, the loan's isbn, copy number and moment.
select
    c.title || ' (copy ' || f.copy_number || '), ' || m.full_name as headline
from fact_loan as f
inner join dim_copy as c on c.isbn = f.isbn and c.copy_number = f.copy_number
inner join dim_member as m on m.member_id = f.member_id
where f.isbn = $1 and f.copy_number = $2::smallint and f.lent_at = $3::timestamptz
order by f.loan_record_id desc
limit 1
