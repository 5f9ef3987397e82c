"""The relay as tutorials write it: a change stream of pymongo, and for each event a connection of pika's, a queue declared and a publish confirmed.

    python relay.py MONGODB_URI DATABASE COLLECTION SECONDS INCREMENT EVENTS RABBITMQ_URI QUEUE

Reads from the operation time (SECONDS, INCREMENT) on. Prints one line of JSON: events, seconds and CPU seconds from the first event to the last confirm.
"""

import json
import sys
import time

import pika
from bson import Timestamp, json_util
from pymongo import MongoClient


def publish(url, queue, body):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare(queue=queue, durable=True)
    channel.confirm_delivery()
    channel.basic_publish(
        exchange="",
        routing_key=queue,
        body=body,
        properties=pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent),
        mandatory=True,
    )
    connection.close()


def main(mongodb, database, collection, seconds, increment, events, rabbitmq, queue):
    begin = Timestamp(int(seconds), int(increment))
    watched = MongoClient(mongodb)[database][collection]
    done, started, cpu = 0, 0.0, 0.0
    with watched.watch([{"$match": {"operationType": "insert"}}], start_at_operation_time=begin) as stream:
        for change in stream:
            if not done:
                started, cpu = time.perf_counter(), time.process_time()
            document = change["fullDocument"]
            document["type"] = change["ns"]["coll"]
            document["entry_id"] = str(document.pop("_id"))
            publish(rabbitmq, queue, json.dumps(document, default=json_util.default))
            done += 1
            if done == int(events):
                break
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"events": done, "seconds": elapsed, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
