"""The queue huey keeps in SQLite, synced at every commit. Run: submits so many messages."""

import os
import sys

from huey import SqliteHuey

from road_post import body, post

queue = SqliteHuey("bench", filename=os.environ["BENCH_QUEUE"], fsync=True, results=False)


# Named alike, whichever module is the main one.
@queue.task(retries=10, retry_delay=2, name="send")
def send(words):
    post(words)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        send(body(number))
