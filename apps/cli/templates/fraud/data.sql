-- The fraud model's data: 1,000 customers, the same for everyone, dated relative to {now} (whole hours).

-- file: data/customer_stats.parquet
-- Every six hours for four days, written 20 minutes after the hour; every 29th row nine hours late, every 37th without a category.
WITH rows AS (
  SELECT 1001 + i AS customer_id, i, k, {now} - to_hours((k * 6 + 1)::INT) AS event_timestamp
  FROM range(1000) t(i), range(16) u(k)
)
SELECT customer_id, event_timestamp,
       event_timestamp + to_minutes(CASE WHEN i > 2 AND (i + k) % 29 = 0 THEN 540 ELSE 20 END) AS created,
       (3 + (i * 7) % 30 + (16 - k) // 4)::BIGINT AS purchase_count_30d,
       ((1500 + (i * 379) % 18000 + k * 25) / 100.0)::FLOAT AS avg_order_value,
       ((i * 5 + k) % 12)::BIGINT AS days_since_last_purchase,
       CASE WHEN (i + k) % 37 = 0 THEN NULL
            ELSE ['electronics', 'books', 'toys', 'garden', 'fashion'][1 + (i + k // 8) % 5] END AS preferred_category
FROM rows
ORDER BY created, customer_id

-- file: data/transaction_stats.parquet
-- Three to eight transactions a customer in four days; every 23rd is reported twice.
WITH rows AS (
  SELECT 1001 + i AS customer_id, i, k,
         {now} - to_minutes(((i * 53 + k * 677 + (i * k) % 97) % 5700 + 5)::INT) AS event_timestamp
  FROM range(1000) t(i), range(8) u(k)
  WHERE k < 3 + i % 6
)
SELECT customer_id, event_timestamp, event_timestamp + to_minutes(((i + k) % 3)::INT) AS created,
       CASE WHEN (i + k) % 61 = 0 THEN NULL ELSE ((i * 37 + k * 191) % 800 - 300) / 100.0 END::DOUBLE AS txn_amount_zscore,
       ((i * 13 + k * 71) % 100) / 100.0::DOUBLE AS merchant_risk_score
FROM rows, range(2) r(n)
WHERE n = 0 OR (i * 3 + k) % 23 = 0
ORDER BY created, customer_id

-- file: data/labels.parquet
-- Four transactions to judge. Customer 1001 comes twice, two days apart: two times, two different rows.
SELECT customer_id::BIGINT AS customer_id, ({now} - to_hours(hours_ago::INT))::TIMESTAMP AS event_timestamp,
       is_fraud
FROM (VALUES (1001, 54, false, 0), (1002, 30, false, 1), (1003, 8, true, 2), (1001, 2, true, 3))
     v(customer_id, hours_ago, is_fraud, place)
ORDER BY place
