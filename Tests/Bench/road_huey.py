"""The queue huey keeps in SQLite, synced at every commit."""

import os

from huey import SqliteHuey

from road_post import body, post

queue = SqliteHuey("bench", filename=os.environ["BENCH_QUEUE"], fsync=True, results=False)


@queue.task(retries=10, retry_delay=2)
def send(words):
    post(words)


def submit(count):
    for number in range(count):
        send(body(number))
