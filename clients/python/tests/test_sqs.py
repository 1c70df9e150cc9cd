"""Against a server that speaks SQS, which SQS_TEST_QUEUE names; without it, only what needs none."""

import datetime
import json
import os
import unittest

from imageservice.services import sqs as module
from imageservice.services.sqs import SQS


class ObjectId:
    """As bson's: known by its name, so that the driver need not be there."""

    def __str__(self):
        return "5f9f1b9b9b9b9b9b9b9b9b9b"


MESSAGE = {
    "_id": ObjectId(),
    "image_url": "http://someimage.com/img.png",
    "bucket_name": "Test Bucket",
    "redirect_queue": "ChannelImages",
    "postback_url": "http://mycallbackurl.com/postback",
    "when": datetime.datetime(2024, 1, 2, 3, 4, 5, 678000),
    "number": 123456789012345678901234567890,
    "title": "Übung 🎧",
}


class Messages(unittest.TestCase):
    def test_documents_travel_as_extended_json(self):
        body = json.loads(module.encode(MESSAGE))
        self.assertEqual(body["_id"], {"$oid": "5f9f1b9b9b9b9b9b9b9b9b9b"})
        self.assertEqual(body["when"], {"$date": "2024-01-02T03:04:05.678Z"})
        self.assertEqual(body["number"], MESSAGE["number"])
        self.assertEqual(body["title"], MESSAGE["title"])

    def test_what_nobody_could_do_is_refused(self):
        for change, says in (
            ({"image_url": None}, "neither image_url"),
            ({"redirect_queue": "", "postback_url": None}, "neither redirect_queue"),
            ({"bucket_name": "../up"}, "bucket_name"),
            ({"title": "x" * module.LONGEST_MESSAGE}, "longer"),
        ):
            with self.assertRaisesRegex(ValueError, says):
                SQS("https://sqs.us-east-2.amazonaws.com/1/q").send_message_to_topic({**MESSAGE, **change})


@unittest.skipUnless(os.environ.get("SQS_TEST_QUEUE"), "no SQS_TEST_QUEUE")
class Queue(unittest.TestCase):
    def test_a_message_arrives(self):
        url = os.environ["SQS_TEST_QUEUE"]
        sent = SQS(url).send_message_to_topic(MESSAGE)
        self.assertIn("MessageId", sent)


if __name__ == "__main__":
    unittest.main()
