/* The counts of counts.c, or of a class derived from it. */

#ifndef ANTINODE_COUNTS_H
#define ANTINODE_COUNTS_H

#include "slots.h"

extern PyType_Spec antinode_counts_spec;

/* Where the count of this name lies; -1 with TypeError set when the type has no such count. */
static inline Py_ssize_t
antinode_count_of(PyTypeObject *type, const char *name)
{
    return antinode_member_of(type, name, T_LONGLONG);
}

static inline long long *
count_in(PyObject *object, Py_ssize_t offset)
{
    return (long long *)((char *)object + offset);
}

#endif
