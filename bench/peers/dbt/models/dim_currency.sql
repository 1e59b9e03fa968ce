select
    c.currency_id,
    c.currency_code,
    coalesce(n.currency_name, c.currency_code) as currency_name
from {{ source('landed', 'currency') }} as c
left join (
    values ('GBP', 'Pound Sterling'), ('USD', 'US Dollar'), ('EUR', 'Euro')
) as n (currency_code, currency_name) on n.currency_code = c.currency_code
