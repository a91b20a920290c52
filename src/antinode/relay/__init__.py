"""The relay: takes the traffic of any Amplitude SDK, keeps it durably, and delivers it in order per user."""
