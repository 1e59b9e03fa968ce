-- As the model of this name makes it: src/totesys/models.
select
    payment_type_id,
    payment_type_name
from payment_type
