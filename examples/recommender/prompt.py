#!/usr/bin/env python3
"""Fills a prompt with a user's features, as the service that calls the model would do it."""

import argparse
import json
import urllib.request

PROMPT = """\
System: You recommend shows for a streaming service.
User context: segment={user_segment}, watched {watch_count_30d} titles in last 30 days, last genre watched: {last_genre}.
Task: suggest 3 titles in a friendly, short message."""


def read_features(server: str, user_id: str) -> dict[str, object]:
    body = {"user_id": user_id, "features": ["user_segment", "watch_count_30d", "last_genre"]}
    request = urllib.request.Request(
        f"{server}/get-online-features",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["features"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:6566")
    parser.add_argument("user_id")
    arguments = parser.parse_args()
    features = read_features(arguments.server, arguments.user_id)
    print(PROMPT.format(**{name: "unknown" if value is None else value for name, value in features.items()}))


if __name__ == "__main__":
    main()
