"""Every decision about delivery, pure: no thread, socket, file or clock."""
