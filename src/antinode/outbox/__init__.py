"""A transactional outbox: events that are sent if and only if the application's transaction commits.

`antinode.outbox.django` and `antinode.outbox.sqlalchemy` write an event as a row of that transaction. Any
number of processes send the rows and delete them: `antinode outbox deliver`, or Django's
`manage.py antinode_outbox deliver`. See docs/outbox.md.
"""
