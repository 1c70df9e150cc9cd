"""Sends messages to the queue that `imgmill worker` reads."""

import datetime
import hashlib
import json
import os
import re
from urllib.parse import urlsplit

import boto3

LONGEST_MESSAGE = 256 * 1024


class SQS:
    """The image queue. Without a URL it is the one that QUEUE_URL names."""

    def __init__(self, queue_url=None):
        self.queue_url = queue_url or os.environ.get("QUEUE_URL")
        self._clients = {}

    def send_message_to_topic(self, message, queue_url=None, group=None):
        """Sends a message, a dict, and returns what SQS answers."""
        url = queue_url or self.queue_url
        if not url:
            raise ValueError("no queue is named: set QUEUE_URL or give queue_url")
        body = encode(message)
        names = {}
        if url.endswith(".fifo"):
            names["MessageGroupId"] = group or _hash(_subject(message))
            names["MessageDeduplicationId"] = _hash(body)
        return self._client(url).send_message(QueueUrl=url, MessageBody=body, **names)

    # The name says topic for history's sake; it is a queue.
    send_message = send_message_to_topic

    def _client(self, url):
        if url not in self._clients:
            host = urlsplit(url).hostname or ""
            region = re.match(r"sqs\.([a-z0-9-]+)\.amazonaws\.com", host)
            options = {"region_name": region.group(1) if region else os.environ.get("AWS_REGION", "us-east-1")}
            if not region:
                parts = urlsplit(url)
                options["endpoint_url"] = f"{parts.scheme}://{parts.netloc}"
            if os.environ.get("AWS_ACCESS_KEY_SQS"):
                options["aws_access_key_id"] = os.environ["AWS_ACCESS_KEY_SQS"]
                options["aws_secret_access_key"] = os.environ.get("AWS_SECRET_KEY_SQS", "")
            self._clients[url] = boto3.client("sqs", **options)
        return self._clients[url]


def encode(message):
    """A message's text, after a look at whether a worker could do anything with it."""
    if not isinstance(message, dict):
        raise ValueError("a message is a dict")
    if not (message.get("image_url") or message.get("itunes_image")):
        raise ValueError("the message has neither image_url nor itunes_image")
    if not (message.get("redirect_queue") or message.get("postback_url")):
        raise ValueError("the message has neither redirect_queue nor postback_url")
    bucket_name = message.get("bucket_name") or ""
    if "/" in bucket_name or ".." in bucket_name:
        raise ValueError('bucket_name may not hold "/" or ".."')
    body = json.dumps(message, default=_extended, ensure_ascii=False)
    if len(body.encode()) > LONGEST_MESSAGE:
        raise ValueError(f"the message is longer than {LONGEST_MESSAGE} bytes")
    return body


def _extended(value):
    """MongoDB's extended JSON for what documents hold, without needing its driver."""
    if type(value).__name__ == "ObjectId":
        return {"$oid": str(value)}
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return {"$date": value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    if type(value).__name__ == "Decimal128":
        return {"$numberDecimal": str(value)}
    raise TypeError(f"{type(value).__name__} cannot be sent in a message")


def _subject(message):
    """What a message is about: messages about the same keep their order."""
    if "_id" in message:
        return json.dumps(message["_id"], default=_extended)
    return " ".join(str(message[name]) for name in ("image_url", "itunes_image") if message.get(name))


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()
