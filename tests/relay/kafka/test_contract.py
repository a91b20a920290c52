"""Kafka as an intake: it keeps the contract of all intakes."""

import msgspec
import pytest

from antinode.relay.kafka.client import LARGEST_RECORD_BYTES, KafkaAdmin, RecordProducer
from antinode.relay.kafka.intake import KafkaIntake
from antinode.relay.kafka.records import RecordHead, headers_of, read_headers, unpack
from tests.relay.contract import IntakeContract
from tests.relay.kafka.conftest import PARTITIONS
from tests.relay.kafka.scene import read_all


class KafkaBench:
    """Topics that refuse everything while hardly a byte is allowed in a record."""

    def __init__(self, settings):
        self.settings = msgspec.structs.replace(settings, keep_timeout=2.0)
        self.admin = KafkaAdmin(settings)

    def intake(self):
        return KafkaIntake(self.settings)

    async def read_back(self, project):
        found = []
        for fetched in read_all(self.settings, self.settings.topic):
            if read_headers(fetched.headers).project == project.fingerprint:
                found += unpack(fetched.value).bodies
        return found

    async def break_down(self):
        self.admin.configure(self.settings.topic, {"max.message.bytes": "50"})
        # The broker knows it a moment later.
        while self.takes_records():
            pass

    def takes_records(self):
        producer, told = RecordProducer(self.settings, timeout=5.0), []
        headers = headers_of(RecordHead("probe", 0, PARTITIONS))
        producer.produce(self.settings.topic, 0, b"", headers, lambda why, _: told.append(why))
        producer.close(5.0)
        return told == [None]

    async def mend(self):
        self.admin.configure(self.settings.topic, {"max.message.bytes": str(LARGEST_RECORD_BYTES)})


class TestKafkaIntake(IntakeContract):
    """The contract of all intakes."""

    closes_within_s = 5.0

    @pytest.fixture
    def bench(self, settings):
        return KafkaBench(settings)
