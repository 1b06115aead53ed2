"""Reads a topic from its start with Confluent's stock client and prints each decoded value as one line of JSON.

usage: decode.py BROKERS REGISTRY_URL TOPIC COUNT

Decimals and times are printed as text, so that nothing passes through a float. Exit 1 when COUNT records do not come
within 60 s.
"""
import json
import sys
import time

from confluent_kafka import Consumer, TopicPartition, OFFSET_BEGINNING
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, registry, topic, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
decode = AvroDeserializer(SchemaRegistryClient({"url": registry}))
consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": "not-used",
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
})
partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])

deadline = time.monotonic() + 60
while count > 0 and time.monotonic() < deadline:
    record = consumer.poll(1.0)
    if record is None:
        continue
    if record.error():
        sys.exit(f"{topic}: {record.error()}")
    value = decode(record.value(), SerializationContext(topic, MessageField.VALUE))
    print(json.dumps({"key": record.key().decode(), "value": value}, default=str))
    count -= 1
consumer.close()
if count:
    sys.exit(f"{topic}: {count} more records expected")
