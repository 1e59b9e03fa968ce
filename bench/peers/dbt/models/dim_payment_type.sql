select
    payment_type_id,
    payment_type_name
from {{ source('landed', 'payment_type') }}
