-- The tables that never change: invented people and places, with text that breaks naive code
-- (quotes, ampersands, commas, leading zeros, letters beyond ASCII, a missing location).
-- $1: the moment at which all of it was created. One row for each address, currency and so on.

with made as (
    select $1::timestamp(3) as at
),

new_currency as (
    insert into currency (currency_code, created_at, last_updated)
    select code, at, at
    from made, unnest(array['GBP', 'USD', 'EUR']) with ordinality as c (code, n)
    order by n
    returning currency_id
),

new_payment_type as (
    insert into payment_type (payment_type_name, created_at, last_updated)
    select name, at, at
    from made, unnest(enum_range(null::"PaymentTypeName")) with ordinality as p (name, n)
    order by n
    returning payment_type_id
),

new_department as (
    insert into department (department_name, location, manager, created_at, last_updated)
    select name, location, manager, at, at
    from made, (values
        (1, 'Sales', 'Manchester', 'Rosalind Peake'),
        (2, 'Purchasing', 'Manchester', 'Tomasz Wilk'),
        (3, 'Production', 'Leeds', 'Grace O''Malley'),
        (4, 'Dispatch', 'Leds', 'Iain Murray'),
        (5, 'Finance', 'Manchester', 'Jordana Belfield'),
        (6, 'Facilities', 'Manchester', null),
        (7, 'Communications', 'Leeds', 'Ann Blakely, interim'),
        (8, 'HR', null, 'Mélanie Dufour')
    ) as d (n, name, location, manager)
    order by n
    returning department_id
),

new_address as (
    insert into address (
        address_line_1, address_line_2, district, city, postal_code, country, phone,
        created_at, last_updated
    )
    select line_1, line_2, district, city, postal_code, country, phone, at, at
    from made, (values
        (1, '6826 Harrow Via', null, 'Avon', 'New Patience', '28441', 'Turkey', '1803 637401'),
        (2, '179 Alder Cliffs', null, null, 'Aliso Viejo', '99305-7380', 'San Marino', '9621 880720'),
        (3, '148 Sincere Fort', null, null, 'Lake Charles', '89360', 'Samoa', '0730 783349'),
        (4, '6102 Rowan Skyway', null, 'Bedfordshire', 'Olsonside', '47518', 'Republic of Korea', '1239 706295'),
        (5, '34177 Mercer Track', null, null, 'Fort Shadow', '08841', 'Svalbard & Jan Mayen Islands', '0081 009772'),
        (6, '846 Hayley Island', 'Suite 12, Floor 3', null, 'Prescott', '00743', 'Falkland Islands (Malvinas)', '0912 153041'),
        (7, '75653 Ernest Ways', null, 'Buckinghamshire', 'North Deshaun', '02813', 'Solomon Islands', '4087 692078'),
        (8, '0579 Durgan Common', null, null, 'Suffolk', '56693-0660', 'United Kingdom', '8935 157571'),
        (9, '644 Edward Garden', null, 'Borders', 'New Tyra', '30825-5672', 'Australia', '0768 748652'),
        (10, '49967 King''s Parade', null, 'Bedfordshire', 'Beaulahcester', '89470', 'Côte d''Ivoire', '4949 998070'),
        (11, '249 Bernier Mission', null, 'Cambridgeshire', 'Corpus Christi', '85111-9300', 'Japan', '0222 525870'),
        (12, '6461 Ernst Hill', null, null, 'Murphyport', '05684', 'Saint Martin', '3273 884431'),
        (13, '80828 Arch Dale', null, 'Avon', 'Torphy Cove', '97043', 'Åland Islands', '5112 742261'),
        (14, '84824 Bryce Common', 'Unit 7b', 'Avon', 'Mandurah', '21340', 'Bolivia, Plurinational State of', '9914 028821'),
        (15, '605 Haskell Trafficway', 'Axel Freeway', null, 'East Bobbie', '88253-4257', 'Heard Island and McDonald Islands', '9687 937447'),
        (16, '511 Orin Extension', 'Cremin Radial', null, 'South Wyatt', '04524', 'Iceland', '2372 180716'),
        (17, '962 Koch Drives', null, null, 'Hackensack', '95316-4738', 'Indonesia', '5507 549583'),
        (18, '57 Green-Hill Lane', null, 'Bedfordshire', 'Lake Myrlville', '07011', 'Jersey', '0186 512001'),
        (19, '0336 Ruthe Heights', null, 'Buckinghamshire', 'St. Louis', '60545-1133', 'Palestinian Territory', '1083 286132'),
        (20, '22073 Klein Landing', null, null, 'Pueblo', '91445', 'Republic of Moldova', '6403 516212'),
        (21, '1 Am Großen Markt', null, 'Saarland', 'Saarlouis', '66740', 'Germany', '0049 683112'),
        (22, '12 Rue de l''Église', 'Bâtiment "C"', null, 'Rennes', '35000', 'France', '0033 299016'),
        (23, '302 Percival Row', null, 'Borders', 'Kelso', 'TD5 7HJ', 'United Kingdom', '0157 322401'),
        (24, '9 Tidewater Yard', null, null, 'Leeds', 'LS1 4AP', 'United Kingdom', '0113 496018'),
        (25, '4411 Paucek Crescent', null, 'Avon', 'Utica', '01842', 'United States of America', '7415 998314'),
        (26, '18 Sundkaj', null, null, 'København', '2150', 'Denmark', '0045 312207'),
        (27, '7 Ħal Balzan Street', null, null, 'Valletta', 'VLT 1117', 'Malta', '0356 212290'),
        (28, '630 Sandoval Hollow', null, 'Cambridgeshire', 'Ely', '40911-2286', 'Micronesia', '3356 908155'),
        (29, '2 Copper Beech Close', 'c/o Smith, Smith & Sons', null, 'Derry', 'BT48 6HQ', 'United Kingdom', '0287 126644'),
        (30, '95 Meadow Bank', null, null, 'Nantes; Sud', '44200', 'France', '0033 240477')
    ) as a (n, line_1, line_2, district, city, postal_code, country, phone)
    order by n
    returning address_id
)

select
    (select count(*) from new_currency)
    + (select count(*) from new_payment_type)
    + (select count(*) from new_department)
    + (select count(*) from new_address) as row_count;
