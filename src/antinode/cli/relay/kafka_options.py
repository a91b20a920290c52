"""Where the relay's Kafka is: the options, and the settings that they are made into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from antinode.cli.ui.errors import Failed, NotSetUp

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from antinode.relay.kafka.settings import KafkaSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_KAFKA: Final[dict[str, Any]] = {
    "metavar": "HOST:PORT",
    "envvar": "ANTINODE_RELAY_KAFKA",
    "help": "Brokers, with commas between them. Also: ANTINODE_RELAY_KAFKA.",
}
_OPTIONS: Final = (
    click.option(
        "--topic",
        metavar="NAME",
        envvar="ANTINODE_RELAY_TOPIC",
        default="antinode-events",
        show_default=True,
        help="Where events wait; NAME-parked and NAME-dead go with it. Also: ANTINODE_RELAY_TOPIC.",
    ),
    click.option(
        "--group",
        metavar="NAME",
        envvar="ANTINODE_RELAY_GROUP",
        default="antinode-relay",
        show_default=True,
        help="The consumer group of all workers. Also: ANTINODE_RELAY_GROUP.",
    ),
    click.option(
        "--kafka-config",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="FILE",
        envvar="ANTINODE_RELAY_KAFKA_CONFIG",
        help="Lines of NAME=VALUE for librdkafka, as for TLS and SASL; refused if others can read passwords "
        "in it. Also: ANTINODE_RELAY_KAFKA_CONFIG.",
    ),
    click.option(
        "--allow-small-cluster",
        is_flag=True,
        help="Take topics with fewer than 3 copies, or that are written with fewer than 2.",
    ),
)


replication_option: Final = click.option(
    "--replication",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Copies of each partition of the topics that are made.",
)


def kafka_options(command: _Command) -> _Command:
    """Give a command the options of `read_kafka`."""
    return _with_options(command, is_required=True)


def optional_kafka_options(command: _Command) -> _Command:
    """The same for a command that does without Kafka where `bootstrap` is None."""
    return _with_options(command, is_required=False)


def _with_options(command: _Command, *, is_required: bool) -> _Command:
    kafka_option = click.option("--kafka", "bootstrap", required=is_required, **_KAFKA)
    for option in reversed((kafka_option, *_OPTIONS)):
        command = option(command)
    return command


def is_in_kafka(bootstrap: str | None, directory: Path | None) -> bool:
    """Whether Kafka is meant, and not a directory: what is on the command line counts more than a variable.

    Raises UsageError if it is neither, or both.
    """
    if bootstrap is None and directory is None:
        raise click.UsageError("give --spool or --kafka")
    if bootstrap is not None and directory is not None and is_given("bootstrap") == is_given("directory"):
        raise click.UsageError("give --spool or --kafka, not both")
    return bootstrap is not None and (directory is None or is_given("bootstrap"))


def is_given(name: str) -> bool:
    """Whether an option of the command that runs is on the command line."""
    from click import get_current_context  # noqa: PLC0415 - not for help and completion
    from click.core import ParameterSource  # noqa: PLC0415 - as above

    return get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def read_kafka(
    bootstrap: str,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    **more: Any,
) -> KafkaSettings:
    """The settings. Raises `NotSetUp`."""
    from antinode._errors import ConfigurationError  # noqa: PLC0415 - not for help and completion
    from antinode.relay.kafka.client_config import read_client_config  # noqa: PLC0415
    from antinode.relay.kafka.settings import KafkaSettings  # noqa: PLC0415

    try:
        return KafkaSettings(
            bootstrap=bootstrap,
            topic=topic,
            group=group,
            allow_small_cluster=allow_small_cluster,
            client={} if kafka_config is None else read_client_config(kafka_config),
            **{name: value for name, value in more.items() if value is not None},
        )
    except ConfigurationError as error:
        raise NotSetUp(str(error)) from None


def kafka_errors() -> AbstractContextManager[None]:
    """Make of what Kafka refuses an error that a user reads."""
    from contextlib import contextmanager  # noqa: PLC0415 - not for help and completion

    from antinode._errors import ConfigurationError  # noqa: PLC0415
    from antinode.relay.kafka.client import KafkaTrouble  # noqa: PLC0415

    @contextmanager
    def told() -> Any:
        try:
            yield
        except ConfigurationError as error:
            raise NotSetUp(str(error)) from None
        except KafkaTrouble as error:
            raise Failed(f"Kafka: {error}") from None

    return told()
