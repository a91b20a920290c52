"""The configuration: the same in both SDKs."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.amplitude.sdks import Sdk

V2 = {"US": "https://api2.amplitude.com/2/httpapi", "EU": "https://api.eu.amplitude.com/2/httpapi"}
BATCH = {"US": "https://api2.amplitude.com/batch", "EU": "https://api.eu.amplitude.com/batch"}


def test_defaults(sdk: Sdk) -> None:
    """What is in force when nothing is said."""
    config = sdk.Config()
    assert (config.api_key, config.min_id_length, config.callback) == (None, None, None)
    assert (config.flush_queue_size, config.flush_interval_millis, config.flush_max_retries) == (
        200,
        10_000,
        12,
    )
    assert config.logger is logging.getLogger("amplitude")
    assert (config.server_zone, config.use_batch, config.opt_out) == ("US", False, False)
    assert (config.plan, config.ingestion_metadata, config.options) == (None, None, None)
    assert config.server_url == V2["US"]
    assert config.event_log_level is sdk.EventLogLevel.INFO
    assert isinstance(config.storage_provider, sdk.module("storage").InMemoryStorageProvider)
    assert isinstance(config.get_storage(), sdk.module("storage").InMemoryStorage)


def test_arguments_without_names(sdk: Sdk) -> None:
    """Their order is the same."""
    log, plan, metadata = logging.getLogger("x"), sdk.Plan("main"), sdk.IngestionMetadata("import")

    def callback(event: Any, code: int, message: str | None) -> None:
        """Called for each event."""

    level = sdk.EventLogLevel.DEBUG
    config = sdk.Config(
        "key", 5, 500, 3, log, 7, callback, "EU", True, "http://localhost", None, plan, metadata, level
    )
    assert (config.api_key, config.flush_queue_size, config.flush_interval_millis) == ("key", 5, 500)
    assert (config.flush_max_retries, config.logger, config.min_id_length) == (3, log, 7)
    assert (config.callback, config.server_zone, config.use_batch) == (callback, "EU", True)
    assert (config.server_url, config.plan, config.ingestion_metadata) == ("http://localhost", plan, metadata)
    assert (config.event_log_level, config.options) == (level, {"min_id_length": 7})


def test_a_configuration_needs_a_key(sdk: Sdk) -> None:
    """Given at once, or later."""
    config = sdk.Config()
    assert not config.is_valid()
    config.api_key = "key"
    assert config.is_valid()
    assert sdk.Config(api_key="key").is_valid()


@pytest.mark.parametrize("length", [0, -4, 5.4, "5"])
def test_wrong_id_lengths(sdk: Sdk, length: Any) -> None:
    """They are not valid, and not sent."""
    config = sdk.Config(api_key="key", min_id_length=length)
    assert not config.is_min_id_length_valid()
    assert not config.is_valid()
    assert config.options is None


def test_the_interval_is_above_zero(sdk: Sdk) -> None:
    """Else the configuration is not valid."""
    assert not sdk.Config(api_key="key", flush_interval_millis=0).is_valid()


@pytest.mark.parametrize("zone", ["US", "EU"])
def test_urls(sdk: Sdk, zone: str) -> None:
    """The URL follows the zone and the API, until it is set."""
    config = sdk.Config(server_zone=zone)
    assert config.server_url == V2[zone]
    config.use_batch = True
    assert config.server_url == BATCH[zone]
    config.server_url = "http://localhost:7000/2/httpapi"
    assert config.server_url == "http://localhost:7000/2/httpapi"
    config.server_url = None
    assert config.server_url == BATCH[zone]


def test_the_size_of_a_flush_shrinks_and_grows(sdk: Sdk) -> None:
    """It is divided, never to less than one event, and setting it begins anew."""
    config = sdk.Config(flush_queue_size=30)
    sizes = []
    for _ in range(2):
        config._increase_flush_divider()
        sizes.append(config.flush_queue_size)
    config._reset_flush_divider()
    sizes.append(config.flush_queue_size)
    config._increase_flush_divider()
    config.flush_queue_size = 50
    sizes.append(config.flush_queue_size)
    config.flush_queue_size = 1
    config._increase_flush_divider()
    assert [*sizes, config.flush_queue_size] == [15, 10, 30, 50, 1]
