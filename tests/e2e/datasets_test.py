"""Real data, from training to serving, against values that were computed without us (README.md beside the data)."""

import json
import shutil
from pathlib import Path

import repository

HERE = Path(__file__).resolve().parent


class DataSet(repository.Repository):
    name = ""
    now = ""

    def setUp(self):
        super().setUp()
        if not self.name:
            self.skipTest("this is what the sets below share")
        data = repository.data_folder()
        shutil.copytree(HERE / self.name, self.path, dirs_exist_ok=True)
        (self.path / "data").symlink_to(data)
        self.env = {"ASOF_NOW": self.now}
        self.good("validate")
        self.good("apply")

    def load_and_verify(self):
        runs = {run["view"]: run for run in self.good("materialize", "--json").json}
        for view in self.good("verify", "--json").json:
            self.assertEqual(view["differences"], 0, view)
            self.assertGreater(view["keys_compared"], 0, view)
        return runs

    def served(self, service: str, key: str, values):
        """What HTTP and `get` say of these keys: the same."""
        with repository.Server(self) as server:
            status, _, text = server.post(f"/v1/services/{service}/features?status=true", {"entities": {key: values}})
            self.assertEqual(status, 200, text)
        rows = json.loads(text)["rows"]
        read = self.good("get", service, *[f"{key}={value}" for value in values], "--status", "--json").json["rows"]
        self.assertEqual(rows, read)
        return {row[key]: row for row in rows}


class Flights(DataSet):
    name = "flights"
    now = "2014-01-01T00:00:00Z"
    labels = "SELECT origin, flight, sched_dep_utc FROM 'data/nycflights13/flights.parquet' WHERE dep_time IS NOT NULL"

    def test_weather_as_of_departure_has_the_known_sum(self):
        self.good("train", "--labels", self.labels, "--time", "sched_dep_utc", "--service", "departure", "-o", "train.parquet")
        # <= and not <: 58,849 flights leave exactly on a weather timestamp; < would give 18,691,186.50.
        self.assertEqual(self.sql("SELECT count(*), round(sum(temp), 2)::DECIMAL(18, 2) FROM 'train.parquet'"),
                         [["328521", "18709662.26"]])
        # Nothing lost, doubled or moved.
        self.assertEqual(
            self.sql(f"SELECT count(*) FROM (SELECT origin, flight, sched_dep_utc FROM 'train.parquet' POSITIONAL JOIN "
                     f"(SELECT origin o, flight f, sched_dep_utc s FROM ({self.labels})) "
                     f"WHERE origin = o AND flight = f AND sched_dep_utc = s)"), [["328521"]])

    def test_the_newest_weather_is_served_and_verified(self):
        runs = self.load_and_verify()
        self.assertEqual(runs["weather"]["rows_written"], 3)
        rows = self.served("departure", "origin", ["EWR", "JFK", "LGA", "BOS"])
        for origin in ("EWR", "JFK", "LGA"):
            [[temp]] = self.sql(f"SELECT arg_max(temp, time_hour) FROM 'data/nycflights13/weather.parquet' WHERE origin = '{origin}'")
            self.assertEqual(rows[origin]["features"]["temp"], float(temp))
        self.assertEqual(rows["BOS"]["status"]["temp"], "NOT_FOUND")


class Watching(DataSet):
    name = "watching"
    now = "2013-09-01T00:00:00Z"

    def test_last_genres_are_the_known_ones(self):
        self.write("labels.csv", "user_id,event_timestamp\n3651,2013-09-01T00:00:00Z\n5604,2013-09-01T00:00:00Z\n17145,2013-09-01T00:00:00Z\n")
        self.good("train", "--labels", "labels.csv", "--service", "taste", "-o", "train.csv")
        self.assertEqual(self.sql("SELECT user_id, last_genre FROM 'train.csv'"),
                         [["3651", "Comedy"], ["5604", "Comedy"], ["17145", "Animation"]])

    def test_what_is_online_is_what_was_known_then(self):
        runs = self.load_and_verify()
        # The rest of the year lies ahead of the clock: deferred, not lost.
        self.assertGreater(runs["last_watch"]["rows_deferred"], 0)
        rows = self.served("taste", "user_id", [3651, 5604, 17145])
        self.assertEqual([rows[user]["features"]["last_genre"] for user in (3651, 5604, 17145)],
                         ["Comedy", "Comedy", "Animation"])
        self.assertEqual(rows[3651]["event_time"]["last_genre"], "2013-08-30T01:43:31Z")
        # A later run takes what has come true since.
        later = {"ASOF_NOW": "2013-12-01T00:00:00Z"}
        self.good("materialize", env=later)
        [verified] = self.good("verify", "--json", env=later).json
        [[users]] = self.sql("SELECT count(DISTINCT user_id) FROM 'data/movietweetings/watch_events.parquet'")
        self.assertEqual((verified["differences"], verified["keys_compared"]), (0, int(users)))


class Retail(DataSet):
    name = "retail"
    now = "2011-05-31T23:00:00Z"  # midnight in London

    def test_last_orders_are_the_known_ones(self):
        runs = self.load_and_verify()
        [[without]] = self.sql("SELECT count(*) FROM 'data/online_retail/transactions.parquet' WHERE CustomerID IS NULL")
        self.assertEqual(sum(runs["last_line"]["rejected"].values()), int(without))
        rows = self.served("reorder", "customer_id", [14911, 17850])
        self.assertEqual(rows[14911]["event_time"]["last_invoice"], "2011-05-26T11:12:00Z")  # 12:12 in London
        self.assertEqual(rows[17850]["event_time"]["last_invoice"], "2010-12-02T15:27:00Z")

    def test_training_gives_what_is_served_at_the_same_time(self):
        self.good("materialize")
        self.good("train", "--all-entities", "--at", "now", "--features", "last_order", "-o", "train.parquet")
        trained = self.sql("SELECT customer_id, last_invoice FROM 'train.parquet' WHERE last_invoice IS NOT NULL ORDER BY customer_id LIMIT 500")
        rows = self.served("reorder", "customer_id", [int(customer) for customer, _ in trained])
        self.assertEqual([[str(c), rows[c]["features"]["last_invoice"]] for c in map(int, (c for c, _ in trained))], trained)


if __name__ == "__main__":
    repository.main()
