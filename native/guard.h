/* The reentrant lock of guard.c. */

#ifndef ANTINODE_GUARD_H
#define ANTINODE_GUARD_H

#include "slots.h"
#include "pythread.h"

typedef struct {
    PyObject_HEAD
    PyThread_type_lock lock;
    unsigned long owner;
    unsigned long count;
} Guard;

extern PyType_Spec antinode_guard_spec;

/* Whether another thread holds it: else whoever has the interpreter's lock may do as if it was held, for as long as
   the interpreter's lock is not given up. */
int antinode_guard_is_elsewhere(PyObject *guard);

/* What only guards have. */
destructor antinode_guard_dealloc(void);

#endif
