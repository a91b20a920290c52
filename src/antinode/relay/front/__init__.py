"""The front: takes requests of any Amplitude SDK, and answers 200 once all their events are durable."""
