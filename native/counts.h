/* The counts of counts.c, or of a class derived from it. */

#ifndef ANTINODE_COUNTS_H
#define ANTINODE_COUNTS_H

#include "slots.h"

extern PyType_Spec antinode_counts_spec;

static inline long long *
count_in(PyObject *object, Py_ssize_t offset)
{
    return (long long *)((char *)object + offset);
}

#endif
