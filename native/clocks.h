/* time.time_ns and time.monotonic without the calls, where they are the interpreter's own and not a test's. */

#ifndef ANTINODE_CLOCKS_H
#define ANTINODE_CLOCKS_H

#include "slots.h"

/* A new reference to the clock if it has to be called; NULL, without an error, if it is the interpreter's own function
   of this name, which the two below do without it. */
PyObject *antinode_own_clock(PyObject *clock, const char *name);

/* Nanoseconds since 1970; not positive if there is an error. */
long long antinode_time_ns(PyObject *clock);

/* Seconds as a float, by up to a millisecond those of the event before, kept in `last`; NULL with an error set. */
PyObject *antinode_moment(PyObject *clock, PyObject **last);

#endif
