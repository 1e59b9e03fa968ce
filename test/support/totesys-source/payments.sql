-- The batch at 07:55:11: marks as paid what is due that day and was not created that day. $1: when.

update payment
set
    paid = true,
    last_updated = $1::timestamp(3)
where
    not paid
    and payment_date = $1::timestamp(3)::date::text
    and created_at < $1::timestamp(3)::date;
