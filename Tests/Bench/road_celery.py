"""Celery on Redis."""

import os

from celery import Celery

from road_post import body, post

app = Celery("bench", broker=os.environ["BENCH_QUEUE"])
app.conf.update(task_ignore_result=True, task_acks_late=True, broker_connection_retry_on_startup=True)


@app.task(name="send", autoretry_for=(Exception,), max_retries=10)
def send(words):
    post(words)


def submit(count):
    for number in range(count):
        send.delay(body(number))
