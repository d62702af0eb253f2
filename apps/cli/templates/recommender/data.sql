-- The recommender's data: 3,000 users, the same for everyone, dated relative to {now} (whole hours).
-- Real in its faults: nulls, watches that are reported late, watches that are reported twice.

-- file: data/user_segment.parquet
WITH users AS (
  SELECT i, CASE i WHEN 0 THEN '8a2f' WHEN 1 THEN 'b13c' ELSE printf('u%04d', i) END AS user_id
  FROM range(3000) t(i)
), days AS (
  SELECT d FROM range(14) t(d)
)
SELECT user_id,
       {now} - to_days(d::INT) AS event_timestamp,
       CASE WHEN i = 0 THEN CASE WHEN d <= 1 THEN 'power_user' ELSE 'casual' END
            WHEN i = 1 THEN 'casual'
            WHEN (i * 31 + d) % 97 = 0 THEN NULL
            WHEN (i * 7 + d // 5) % 10 = 0 THEN 'power_user'
            WHEN (i * 7 + d // 5) % 10 < 4 THEN 'new'
            ELSE 'casual' END AS user_segment
FROM users, days
WHERE i < 2 OR (i * 13 + d) % 3 = 0
ORDER BY event_timestamp, i

-- file: data/watch_counts.parquet
WITH users AS (
  SELECT i, CASE i WHEN 0 THEN '8a2f' WHEN 1 THEN 'b13c' ELSE printf('u%04d', i) END AS user_id
  FROM range(3000) t(i)
), generated AS (
  SELECT i, user_id, (i * 17 + k * 29 + (i * k) % 11) % 336 AS hours_ago, (i % 40) + (12 - k) AS watched, k
  FROM users, range(12) t(k)
  WHERE i > 1
), known AS (
  SELECT * FROM (VALUES
    ('8a2f', 320, 18), ('8a2f', 62, 22), ('8a2f', 50, 31), ('8a2f', 26, 44), ('8a2f', 3, 47),
    ('b13c', 300, 9), ('b13c', 100, 7), ('b13c', 28, 5)) v(user_id, hours_ago, watched)
)
SELECT user_id, event_timestamp, watch_count_30d FROM (
  SELECT user_id, {now} - to_hours(hours_ago::INT) AS event_timestamp,
         CASE WHEN (i + k) % 211 = 0 THEN NULL ELSE watched::BIGINT END AS watch_count_30d
  FROM generated
  UNION ALL
  SELECT user_id, {now} - to_hours(hours_ago::INT), watched::BIGINT FROM known
)
ORDER BY event_timestamp, user_id

-- file: data/watches.parquet
-- Watches of the last two days only: before that, nobody recorded them.
WITH generated AS (
  SELECT printf('u%04d', i) AS user_id,
         {now} - to_minutes(((i * 37 + k * 411 + (i * k) % 53) % 2870 + 1)::INT) AS watched_at,
         CASE WHEN (i + k * 3) % 83 = 0 THEN NULL
              ELSE ['drama', 'comedy', 'documentary', 'thriller', 'animation', 'crime', 'romance'][1 + (i * 5 + k * 3) % 7]
         END AS genre,
         CASE WHEN (i + k) % 19 = 0 THEN 60 + (i * 7 + k) % 600 ELSE (i + k) % 4 END AS minutes_late,
         CASE WHEN (i * 3 + k) % 41 = 0 THEN 2 ELSE 1 END AS times_reported
  FROM range(2, 3000) t(i), range(6) u(k)
  WHERE (i + k) % 5 > 0
), known AS (
  SELECT user_id, {now} - to_minutes(minutes_ago::INT) AS watched_at, genre, minutes_late, times_reported
  FROM (VALUES
    ('8a2f', 2300, 'drama', 1, 1), ('8a2f', 1500, 'comedy', 2, 1), ('8a2f', 130, 'documentary', 1, 2),
    -- b13c's comedy was watched before the label of 20:00 and reported after it: training must not see it.
    ('b13c', 1000, 'drama', 0, 1), ('b13c', 360, 'thriller', 1, 1), ('b13c', 270, 'comedy', 90, 1),
    ('b13c', 90, 'thriller', 1, 1)) v(user_id, minutes_ago, genre, minutes_late, times_reported)
)
SELECT user_id, watched_at, watched_at + to_minutes(minutes_late::INT) AS ingested_at, genre FROM (
  SELECT * FROM generated
  UNION ALL
  SELECT * FROM known
), range(2) r(n)
WHERE n < times_reported
ORDER BY ingested_at, user_id

-- file: data/labels.parquet
SELECT user_id, ({now} - to_hours(hours_ago::INT))::TIMESTAMP AS event_timestamp
FROM (VALUES ('8a2f', 60, 0), ('b13c', 4, 1), ('8a2f', 2, 2)) v(user_id, hours_ago, place)
ORDER BY place
