"""Plays a story, given as JSON on standard input, through amplitude-analytics; prints what became of it."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import Counter
from typing import Any

from amplitude import (  # type: ignore[import-untyped]  # it has no types
    Amplitude,
    BaseEvent,
    Config,
    EventOptions,
    Identify,
    Revenue,
)


class Player:
    def __init__(self, url: str, api_key: str) -> None:
        self._settled = threading.Condition()
        self.codes: Counter[int] = Counter()
        config = Config(server_url=url, flush_interval_millis=20, callback=self._settle)
        self._client = Amplitude(api_key, config)
        config.logger.disabled = True
        self._begun = 0

    def _settle(self, _event: BaseEvent, code: int, _message: str | None = None) -> None:
        with self._settled:
            self.codes[code] += 1
            self._settled.notify_all()

    def settle(self) -> None:
        with self._settled:
            assert self._settled.wait_for(lambda: self.codes.total() == self._begun, timeout=120), self.codes

    def play(self, step: dict[str, Any]) -> None:
        self._begun += 1
        options = EventOptions(**step.get("for", {}))
        if "track" in step:
            self._client.track(BaseEvent(**step["track"]))
            return
        if "identify" in step:
            self._client.identify(_operations(step["identify"]), options)
        elif "set_group" in step:
            self._client.set_group(*step["set_group"], options)
        elif "group_identify" in step:
            self._client.group_identify(*step["group"], _operations(step["group_identify"]))
        else:
            given = step["revenue"]
            revenue = Revenue(given["price"], given["quantity"], given["productId"], given["revenueType"])
            self._client.revenue(revenue, options)
        # This SDK sends batches side by side, in no order; properties need one.
        self.settle()

    def end(self) -> None:
        self._client.shutdown()


def _operations(given: list[list[Any]]) -> Identify:
    identify = Identify()
    for name, *values in given:
        getattr(identify, re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name))(*values)
    return identify


def main() -> None:
    player = Player(*sys.argv[1:])
    for step in json.load(sys.stdin):
        if "settle" in step:
            player.settle()
        else:
            player.play(step)
    player.end()
    json.dump(player.codes, sys.stdout)


if __name__ == "__main__":
    main()
