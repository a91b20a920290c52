"""The relay on one machine: events are kept in spool directories, one a project, and delivered from there."""
