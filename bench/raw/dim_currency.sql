-- As the model of this name makes it, for the currencies that are there: src/totesys/models.
select
    c.currency_id,
    c.currency_code,
    coalesce(n.currency_name, c.currency_code) as currency_name
from currency as c
left join (
    values ('GBP', 'Pound Sterling'), ('USD', 'US Dollar'), ('EUR', 'Euro')
) as n (currency_code, currency_name) on n.currency_code = c.currency_code
